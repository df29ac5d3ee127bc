"""Which URLs and addresses may be fetched. Everything else is refused before a connection."""

import ipaddress

import pytest

from search.fetch.addresses import public
from search.fetch.errors import UrlNotAllowed
from search.fetch.target import MAX_CHARACTERS, Target, target_of


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://photos.example/a.jpg", Target("https", "photos.example", 443, "/a.jpg")),
        ("HTTP://Photos.Example", Target("http", "photos.example", 80, "/")),
        ("http://a.example:443/?q=1&r=a/b#c", Target("http", "a.example", 443, "/?q=1&r=a/b")),
        ("https://ä.example/ü%20", Target("https", "xn--4ca.example", 443, "/%C3%BC%20")),
        ("http://8.8.8.8/", Target("http", "8.8.8.8", 80, "/")),
        ("http://[2606:2800:21f::1]/", Target("http", "2606:2800:21f::1", 80, "/")),
        ("https://1.photos.example", Target("https", "1.photos.example", 443, "/")),
    ],
)
def test_a_url_has_one_reading(url, target):
    assert target_of(url) == target


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://photos.example/", "photos.example"),
        ("https://photos.example:80/", "photos.example:80"),
        ("http://[2606:2800:21f::1]/", "[2606:2800:21f::1]"),
    ],
)
def test_the_host_header_is_that_of_the_url(url, authority):
    assert target_of(url).authority == authority


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://photos.example/a.jpg", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("gopher://photos.example/", "must begin with http"),
        ("data:image/png;base64,AAAA", "must begin with http"),
        ("//photos.example/a.jpg", "must begin with http"),
        ("photos.example/a.jpg", "must begin with http"),
        ("http://", "must begin with http"),
        ("http:///a.jpg", "must begin with http"),
        ("http://me:secret@photos.example/", "a user name or a password"),
        ("http://photos.example@127.0.0.1/", "a user name or a password"),
        ("http://@photos.example/", "a user name or a password"),
        ("http://photos.example:8080/", "port 8080; allowed: 80 and 443"),
        ("http://photos.example:0/", "port 0;"),
        ("http://photos.example:22/", "port 22;"),
        ("http://photos.example:99999/", "not a valid URL"),
        ("http://photos.example:http/", "not a valid URL"),
        ("http://[::1/", "not a valid URL"),
        ("http://photos.example\\@127.0.0.1/", "backslash"),
        ("http://photos.example/a b", "a space"),
        ("http://photos.example/\r\nHost: evil", "control character"),
        ("http://photos\t.example/", "control character"),
        ("http://photos..example/", "invalid host"),
        ("http://photos%2eexample/", "invalid host"),
        ("http://-photos.example/", "invalid host"),
        ("http://2130706433/", "unusual form of an IPv4"),
        ("http://0x7f000001/", "unusual form of an IPv4"),
        ("http://0x7f.0.0.1/", "unusual form of an IPv4"),
        ("http://0177.0.0.1/", "unusual form of an IPv4"),
        ("http://017700000001/", "unusual form of an IPv4"),
        ("http://127.1/", "unusual form of an IPv4"),
        ("http://127.0.0.1./", "unusual form of an IPv4"),
        ("http://photos.example.1/", "unusual form of an IPv4"),
        ("http://①②⑦.①/", "unusual form of an IPv4"),
        ("http://photos.example/" + "a" * MAX_CHARACTERS, "characters; allowed: 2,000"),
    ],
)
def test_another_url_is_refused(url, said):
    with pytest.raises(UrlNotAllowed, match=said):
        target_of(url)


NOT_PUBLIC = [
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
    *("172.16.0.1", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd20:ce::254", "fec0::1", "ff02::1"),
    *("2001:db8::1", "100::1"),
    # these hold IPv4 addresses, private and public ones
    *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::7f00:1"),
    *("2002:7f00:1::", "2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused_and_not_named(address):
    with pytest.raises(UrlNotAllowed) as refused:
        public([address])
    assert str(refused.value) == "url leads to an address that is not public"


def test_public_addresses_are_tried_ipv4_first():
    assert public(["2606:2800:21f::1", "8.8.8.8"]) == ["8.8.8.8", "2606:2800:21f::1"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_one_address_that_is_not_public_is_enough(address):
    with pytest.raises(UrlNotAllowed):
        public(["8.8.8.8", address])


def test_every_private_network_is_refused_to_its_ends():
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"):
        parsed = ipaddress.ip_network(network)
        for address in (parsed[0], parsed[1], parsed[-1]):
            with pytest.raises(UrlNotAllowed):
                public([str(address)])

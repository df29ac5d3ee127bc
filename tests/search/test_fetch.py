"""Pictures from URLs, of sites that answer well, badly, slowly, or lead somewhere else."""

import gzip
import threading
import time

import pytest

from clipsearch.errors import PhotoTooLarge
from search.fetch import network
from search.fetch.errors import SiteFailed, SiteTooSlow, UrlNotAllowed
from search.fetch.fetch import MAX_REDIRECTS, fetch
from tests.support.site_double import PUBLIC, answers, internet, redirects, says

URL = "http://photos.example/a.jpg"
PICTURE = b"a picture" * 1000


@pytest.fixture
def web(monkeypatch):
    with internet() as found:
        found.pages["/a.jpg"] = answers(PICTURE)
        monkeypatch.setattr(network, "resolve", found.resolve)
        monkeypatch.setattr(network, "connect", found.connect)
        yield found


def test_it_gets_the_bytes_and_tells_the_site_nothing(web, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(URL) == PICTURE
    assert web.connected == [(PUBLIC, 80)]
    [head] = web.requests
    lines = head.strip().split("\r\n")
    assert lines[0] == "GET /a.jpg HTTP/1.1"
    sent = dict(line.split(": ", 1) for line in lines[1:])
    assert sent.keys() == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}
    assert sent["Host"] == "photos.example"
    assert sent["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "0.0.0.0"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"),
        *("[fe80::1]", "[2002:7f00:1::]", "2130706433", "0x7f000001", "017700000001", "127.1"),
    ],
)
def test_an_address_that_is_not_public_gets_no_connection(host, monkeypatch):
    """With the resolver of the system."""
    connected = []
    monkeypatch.setattr(network, "connect", lambda *args: connected.append(args))
    with pytest.raises(UrlNotAllowed):
        fetch(f"http://{host}/a.jpg")
    assert connected == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["169.254.169.254"], [PUBLIC, "::1"]])
def test_so_does_a_name_that_leads_there(web, addresses):
    web.names["photos.example"] = addresses
    with pytest.raises(UrlNotAllowed, match="not public"):
        fetch(URL)
    assert web.connected == []


def test_a_name_is_resolved_once_and_the_checked_address_is_used(web, monkeypatch):
    """DNS rebinding: the second answer is another one."""
    given = iter([[PUBLIC], ["127.0.0.1"]])
    monkeypatch.setattr(network, "resolve", lambda host, port: next(given))
    assert fetch(URL) == PICTURE
    assert web.connected == [(PUBLIC, 80)]


def test_a_name_that_rebinds_before_a_redirect_is_checked_again(web, monkeypatch):
    given = iter([[PUBLIC], ["127.0.0.1"]])
    monkeypatch.setattr(network, "resolve", lambda host, port: next(given))
    web.pages["/old.jpg"] = redirects("/a.jpg")
    with pytest.raises(UrlNotAllowed, match="not public"):
        fetch("http://photos.example/old.jpg")
    assert web.connected == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "where",
    [
        *("http://127.0.0.1/", "http://169.254.169.254/computeMetadata/v1/", "http://[::1]/"),
        *("http://[::ffff:127.0.0.1]/", "http://inside.example/", "http://2130706433/"),
        *(
            "//127.0.0.1/",
            "file:///etc/passwd",
            "http://photos.example:22/",
            "ftp://photos.example",
        ),
        "http://me:secret@photos.example/a.jpg",
    ],
)
def test_a_redirect_is_checked_like_the_first_url(web, where):
    web.names |= {host: [host] for host in ("127.0.0.1", "169.254.169.254")}
    web.names |= {"::1": ["::1"], "::ffff:127.0.0.1": ["::ffff:127.0.0.1"]}
    web.names["inside.example"] = ["10.0.0.7"]
    web.pages["/old.jpg"] = redirects(where)
    with pytest.raises(UrlNotAllowed):
        fetch("http://photos.example/old.jpg")
    assert web.connected == [(PUBLIC, 80)]


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_redirects_are_followed_also_to_other_hosts(web, status):
    web.names["other.example"] = ["8.8.8.8"]
    web.pages["/old.jpg"] = redirects("http://other.example/a.jpg", status)
    assert fetch("http://photos.example/old.jpg") == PICTURE
    assert web.connected == [(PUBLIC, 80), ("8.8.8.8", 80)]


def test_only_so_many_redirects_are_followed(web):
    for number in range(MAX_REDIRECTS):
        web.pages[f"/{number}"] = redirects(str(number + 1))
    web.pages[f"/{MAX_REDIRECTS}"] = answers(PICTURE)
    assert fetch("http://photos.example/0") == PICTURE
    web.pages["/loop"] = redirects("/loop")
    with pytest.raises(SiteFailed, match="more than 5 times"):
        fetch("http://photos.example/loop")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answers(status="404 Not Found"), "status 404"),
        (answers(status="500 Oh"), "status 500"),
        (answers(status="302 Found"), "status 302"),
        (answers(b"", status="204 No Content"), "status 204"),
        (redirects("http://[::1"), "redirects to an invalid URL"),
        (answers(PICTURE, length=len(PICTURE) + 7), "7 bytes too early"),
        (answers(gzip.compress(bytes(10_000_000)), "Content-Encoding: gzip"), "compresses"),
        (answers(b"5\r\nabc", "Transfer-Encoding: chunked"), "valid HTTP"),
        (answers(b"xyz\r\nabc", "Transfer-Encoding: chunked"), "valid HTTP"),
        (says(b"SSH-2.0-OpenSSH_9.6\r\n"), "valid HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200), "valid HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 99_999), "valid HTTP"),
        (says(b""), "ends the connection|valid HTTP"),
    ],
)
def test_a_site_that_answers_wrongly_has_failed(web, answer, said):
    web.pages["/a.jpg"] = answer
    with pytest.raises(SiteFailed, match=said):
        fetch(URL)


def test_bodies_have_a_length_pieces_or_an_end(web):
    web.pages["/pieces"] = answers(
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "Transfer-Encoding: chunked"
    )
    assert fetch("http://photos.example/pieces") == b"abcde"
    web.pages["/end"] = says(b"HTTP/1.0 200 OK\r\n\r\nabc")
    assert fetch("http://photos.example/end") == b"abc"
    web.pages["/more"] = answers(b"abcdefg", length=3)
    assert fetch("http://photos.example/more") == b"abc"


def endless(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(65_536))


@pytest.mark.parametrize("answer", [endless, answers(b"", length=10**12)], ids=["endless", "large"])
def test_a_body_that_is_too_large_is_not_read_to_its_end(web, answer):
    web.pages["/a.jpg"] = answer
    with pytest.raises(PhotoTooLarge, match="more than 20,000,000 bytes"):
        fetch(URL)


def drip(head):
    """One byte every 20 ms, for ever: every single read is in time."""

    def answer(connection, _):
        connection.sendall(head)
        while True:
            connection.sendall(b"a")
            time.sleep(0.02)

    return answer


def continues(connection, _):
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"HTTP/1.1 200 OK\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nX: "),
        drip(b""),
        continues,
        lambda connection, _: threading.Event().wait(5),
    ],
    ids=["body", "headers", "status", "continue", "nothing"],
)
def test_a_slow_site_gets_no_more_time_than_all_of_it_together(web, answer):
    web.pages["/a.jpg"] = answer
    with pytest.raises(SiteTooSlow, match=r"within 0\.3 seconds"):
        fetch(URL, seconds=0.3)


def test_redirects_get_no_new_time(web):
    def later(connection, _):
        time.sleep(0.2)
        redirects("/old.jpg")(connection, _)

    web.pages["/old.jpg"] = later
    with pytest.raises(SiteTooSlow):
        fetch("http://photos.example/old.jpg", seconds=0.5)
    assert len(web.requests) <= 3


def test_a_dead_address_is_passed_over(web):
    web.names["photos.example"] = ["2606:2800:21f::1", "8.8.8.8", PUBLIC]
    web.dead = {"8.8.8.8"}
    assert fetch(URL) == PICTURE
    assert web.connected == [("8.8.8.8", 80), (PUBLIC, 80)]
    web.dead |= {"2606:2800:21f::1", PUBLIC}
    with pytest.raises(SiteFailed, match="cannot be reached"):
        fetch(URL)


def test_a_name_that_does_not_exist_is_said(web):
    with pytest.raises(SiteFailed, match="cannot be found"):
        fetch("http://nowhere.example/a.jpg")

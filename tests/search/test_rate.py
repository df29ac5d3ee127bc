"""Token buckets: at most so many requests a minute from one client, in bounded memory."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from search.http.client import client_of, network_of
from search.http.rate import MINUTE, Buckets


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_minutes_requests_at_once_and_then_as_many_as_come_back(clock):
    buckets = Buckets(6, 100, clock)
    assert [buckets.take("a") for _ in range(8)] == [0] * 6 + [10, 10]
    clock.now += 9
    assert buckets.take("a") == 1
    clock.now += 1
    assert [buckets.take("a"), buckets.take("a")] == [0, 10]
    clock.now += 3600
    assert [buckets.take("a") for _ in range(7)] == [0] * 6 + [10]


def test_each_client_has_a_bucket_of_its_own(clock):
    buckets = Buckets(1, 100, clock)
    assert [buckets.take(client) for client in "aba"] == [0, 0, 60]


def test_memory_is_bounded_and_who_asked_last_is_remembered(clock):
    buckets = Buckets(1, 3, clock)
    for client in "abcad":  # b asked longest ago
        buckets.take(client)
    assert len(buckets) == 3
    assert buckets.take("a") == buckets.take("d") == 60
    assert buckets.take("b") == 0
    for number in range(10_000):
        buckets.take(str(number))
    assert len(buckets) == 3


@settings(deadline=None)
@given(
    per_minute=st.integers(1, 1000),
    waits=st.lists(st.floats(0, 120, allow_nan=False), min_size=1, max_size=200),
)
def test_no_client_gets_more_and_who_waits_as_told_is_let_in(per_minute, waits):
    clock = Clock()
    start, buckets, taken = clock.now, Buckets(per_minute, 10, clock), 0
    for wait in waits:
        clock.now += wait
        told = buckets.take("a")
        taken += told == 0
        most = per_minute + (clock.now - start) * per_minute / MINUTE
        assert taken <= math.floor(most + 0.001 * (taken + 1))
        if told:
            assert told <= math.ceil(MINUTE / per_minute)
            clock.now += told
            assert buckets.take("a") == 0
            taken += 1


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7:5678", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", ""),
        ("", ""),
        ("1.2.3", ""),
        ("[", ""),
        ("x" * 10_000, ""),
    ],
)
def test_a_client_is_an_address_or_a_network(text, key):
    assert network_of(text) == key


def request(*forwarded, peer="192.0.2.1"):
    headers = Headers(raw=[(b"x-forwarded-for", value.encode()) for value in forwarded])
    return SimpleNamespace(headers=headers, client=SimpleNamespace(host=peer) if peer else None)


def test_only_what_a_trusted_proxy_appended_counts():
    invented = request("10.0.0.1, 203.0.113.7")
    assert client_of(invented, 1) == "203.0.113.7"
    assert client_of(request("10.0.0.1", "203.0.113.7"), 1) == "203.0.113.7"  # two headers
    balanced = request("10.0.0.1,203.0.113.7,198.51.100.1")
    assert client_of(balanced, 2) == "203.0.113.7"
    assert client_of(invented, 0) == "192.0.2.1"
    assert client_of(request(), 1) == client_of(request("203.0.113.7"), 2) == ""
    assert client_of(request(peer=None), 0) == ""

"""The clients of `make bench`: requests, waits, and answers that they do not count."""

from __future__ import annotations

import io
import itertools
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.system.asking import BEST, requests
from benchmarks.system.client import Job, LoadError, run
from search.http.form import parse_form


@pytest.fixture
def job(server, tmp_path):
    """job(side, kind, **changes)"""
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(b"\xff\xd8 \r\n--edge-less \xff\xd9")

    def make(side="ours", kind="text", **changes):
        facts = {"clients": 4, "seconds": 60.0, "most": 40, "seed": 1, "names": ["a b/c&d.jpg"]}
        facts |= {"port": server.port, "pictures": [str(picture)]}
        return Job(side, kind, **{**facts, **changes})

    return make


def test_no_more_is_asked_than_allowed_and_no_text_twice(server, job):
    outcome = run(job())
    paths = [path for _, path, _ in server.asked]
    assert len(outcome.latencies) == len(paths) == len(set(paths)) == 40
    for path in paths:
        query = parse_qs(urlsplit(path).query)
        assert query["limit"] == [str(BEST)]
        assert 3 <= len(query["q"][0].split()) <= 8
    assert 0 < max(outcome.latencies) <= outcome.seconds


def test_it_ends_when_the_time_is_over(job):
    outcome = run(job(seconds=0.3, most=10**9))
    assert 4 <= len(outcome.latencies) < 10**5


def test_another_seed_asks_for_other_texts():
    def first(seed):
        return set(itertools.islice(requests("theirs", "text", [], [], seed), 50))

    assert first(1) == first(1)
    assert len(first(1) & first(2)) < 5


def test_both_sides_get_the_picture_as_a_form(server, job):
    for side in ("ours", "theirs"):
        run(job(side, "picture", most=1))
    (_, ours, body), (_, theirs, same) = server.asked
    assert (ours, theirs) == (f"/?limit={BEST}", "/picture")
    assert body == same
    headers = {"content-type": "multipart/form-data; boundary=edge"}
    assert parse_form(headers, io.BytesIO(body)) == ([], [b"\xff\xd8 \r\n--edge-less \xff\xd9"])


def test_more_like_this_asks_for_a_name(server, job):
    run(job(kind="like", most=1))
    [(method, path, _)] = server.asked
    assert (method, parse_qs(urlsplit(path).query)["like"]) == ("GET", ["a b/c&d.jpg"])


def test_who_is_turned_away_waits_as_told_and_the_wait_counts(server, job):
    server.busy, server.wait = 3, "0.4"
    outcome = run(job(clients=1, most=2))
    assert outcome.turned_away == 3
    assert len(outcome.latencies) == 2
    assert len(server.asked) == 5
    assert max(outcome.latencies) >= 3 * 0.4  # the first one, asked four times


def test_a_connection_that_was_closed_is_made_anew(server, job):
    server.closes = True
    assert len(run(job(clients=1, most=5)).latencies) == 5
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": 500}, "answered 500"),
        ({"results": BEST - 1}, "answered 200"),
        ({"busy": 1, "wait": ""}, "answered 503"),
        ({"closed": 2}, "without an answer"),
    ],
    ids=["500", "too few photos", "503 without an end", "no answer"],
)
def test_what_is_no_answer_ends_it_with_a_reason(server, job, change, said):
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(LoadError, match=f"ours, text: .*{said}"):
        run(job(clients=1, most=1))


def test_nobody_there_is_an_error_with_a_reason(server, job):
    with pytest.raises(LoadError, match=r"(?i)refused|connect"):
        run(job(port=1, most=1))

"""What `make bench-ingest` counts. Its times need a machine, so no test checks them."""

from benchmarks.ingest.report import figures, table
from benchmarks.ingest.slow_storage import Request, chain


def test_a_chain_leaves_out_what_ran_beside_it():
    requests = [
        Request(0.0, 0.1, "read"),
        Request(0.1, 0.3, "thumbnail"),
        Request(0.2, 0.29, "entry"),
        Request(0.2, 0.28, "look"),
        Request(0.05, 0.35, "other"),
    ]
    assert chain(requests) == ["read", "look"]
    assert chain([*requests, Request(0.36, 0.4, "last")]) == ["read", "look", "last"]
    assert chain([]) == []


def turn(wall):
    limit = {"wall": 4.0, "cpu": 4.0, "decode": 1.0, "thumbnail": 1.0, "encode": 2.0, "facts": 0.4}
    way = {"count": 100, "wall": wall, "cpu": 8.0, "requests": 3.0}
    return {**way, "limit": {**limit, "count": 80}}


def test_the_share_is_that_of_the_limit_beside_it():
    turns = [
        {way: turn(wall) for way in ("crowd", "batch", "reconcile")}
        | {"events": {**turn(wall), "chains": [["read", "write"]] * 3}}
        for wall in (6.25, 6.25, 10.0)
    ]
    found = figures(turns)
    assert found["batch"]["of_limit"] == 0.8
    assert round(found["batch"]["of_limit_with_facts"], 6) == 0.88
    assert found["limit"]["photos_per_second"] == 20
    assert found["events"]["waits"] == 2
    text = table(found)
    assert "a batch has 80% of the limit; goal 90%: MISSED" in text
    assert "goal 2: reached" in text

"""Switched-off paths, and clients that ask too often, through the framework."""

import importlib
import json

import pytest

from tests.search.conftest import classify, form
from tests.search.test_errors import assert_problem
from tests.support.pictures import png

LIMITED = {"CLIPSEARCH_RATE_PER_MINUTE": "6"}
PAGE = {"Accept": "text/html"}


def by(address):
    """Arguments of a request that Cloud Run received from there."""
    return {"headers": {"X-Forwarded-For": address}}


@pytest.fixture
def clock(monkeypatch):
    """Moves the time of the buckets that are made next."""
    rate = {"now": 0.0}

    def use():
        gate = importlib.import_module("search.gate")
        made = gate.Buckets(6, gate.REMEMBERED, lambda: rate["now"])
        monkeypatch.setattr(gate, "_buckets", lambda: made)
        return rate

    return use


def test_a_client_that_asks_too_often_waits_and_others_do_not(gallery, client_of, clock):
    client = client_of(gallery, **LIMITED)
    time = clock()
    for _ in range(6):
        assert client.get("/?q=red", **by("203.0.113.7")).status_code == 200
    refused = client.get("/?q=red", **by("203.0.113.7"))
    assert_problem(refused, 429, "more than 6 requests a minute came from your address")
    assert refused.headers["retry-after"] == "10"
    assert "Retry-After" in refused.headers["access-control-expose-headers"]
    assert client.get("/?q=red", **by("10.0.0.1, 203.0.113.7")).status_code == 429  # invented
    assert client.get("/?q=red", **by("203.0.113.8")).status_code == 200
    time["now"] += 10
    assert client.get("/?q=red", **by("203.0.113.7")).status_code == 200
    assert client.get("/?q=red", **by("203.0.113.7")).status_code == 429


def test_every_path_counts_but_health_and_preflight_do_not(gallery, client_of):
    client = client_of(gallery, **LIMITED)
    for _ in range(20):
        assert client.get("/health").status_code == 200
        assert client.request("OPTIONS", "/search").status_code == 204
    for path in ("/status", "/docs", "/facets", "/?q=", "/embed?q=a", "/nothing"):
        assert client.get(path).status_code in (200, 400, 404), path
    assert client.get("/nothing").status_code == client.request("PUT", "/").status_code == 429
    assert client.get("/status").status_code == 429
    assert client.post("/search", json={"terms": []}).status_code == 429
    assert client.get("/health").status_code == 200


def test_a_browser_gets_a_page_that_says_so(gallery, client_of):
    client = client_of(gallery, **LIMITED)
    answers = [client.get("/?q=red", headers=PAGE) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429]
    assert "More than 6 requests a minute came from your address. Try again" in answers[-1].text


def test_by_default_nobody_is_limited(client):
    assert {client.get("/status").status_code for _ in range(200)} == {200}


def test_a_refused_picture_is_not_read(gallery, client_of, stalled):
    client = client_of(gallery, **{"CLIPSEARCH_RATE_PER_MINUTE": "1"})
    assert client.get("/status").status_code == 200
    assert client.post("/", **stalled).status_code == 429  # at once: its body never ends


def test_what_is_switched_off_is_a_403_and_all_else_works(gallery, client_of):
    client = client_of(gallery, CLIPSEARCH_EMBED="0", CLIPSEARCH_CLASSIFY="0")
    said = "/embed is switched off here (CLIPSEARCH_EMBED=1 would switch it on)"
    assert_problem(client.get("/embed?q=red"), 403, said)
    assert_problem(client.post("/embed", **form(("q", None, b"red"))), 403, said)
    assert_problem(classify(client, png("red"), "a", "b"), 403, "/classify is switched off here")
    assert client.request("OPTIONS", "/embed").status_code == 204
    assert client.post_image(png("red")).json()["results"][0]["name"] == "red.jpg"
    described = client.get("/openapi.json").json()["paths"]
    assert "403" in described["/embed"]["post"]["responses"]
    assert "403" in described["/classify"]["post"]["responses"]


@pytest.mark.parametrize(("off", "on"), [("embed", "classify"), ("classify", "embed")])
def test_each_has_its_own_switch(gallery, client_of, off, on):
    client = client_of(gallery, **{f"CLIPSEARCH_{off.upper()}": "0"})
    assert client.post(f"/{off}", **form()).status_code == 403
    assert client.post(f"/{on}", **form()).status_code == 400  # empty


def lines(caplog):
    return [r.fields["status"] for r in caplog.records if getattr(r, "fields", {}).get("path")]


def test_a_share_of_the_usual_requests_gets_a_line(gallery, client_of, caplog, monkeypatch):
    client = client_of(gallery, CLIPSEARCH_LOG_SAMPLE="0.25", **LIMITED)
    client.get("/?q=red")  # loads the model
    caplog.clear()
    drawn = iter([0.1, 0.25, 0.9, 0.2499, 0.3])
    monkeypatch.setattr("search.http.access_log.random.random", lambda: next(drawn))
    for _ in range(4):
        client.get("/?q=blue")
    assert lines(caplog) == [200, 200]
    assert [client.get("/?q=").status_code, client.get("/?q=").status_code] == [400, 429]
    assert lines(caplog) == [200, 200, 400]


def test_errors_and_slow_requests_always_get_a_line(gallery, client_of, caplog, monkeypatch):
    client = client_of(gallery, CLIPSEARCH_LOG_SAMPLE="0")
    client.get("/?q=red")
    assert lines(caplog) == [200]  # cold
    client.get("/?q=red")
    client.get("/?q=")
    client.get("/nothing")
    assert lines(caplog) == [200, 400, 404]
    monkeypatch.setattr("search.http.access_log.SLOW_MS", 0)
    client.get("/?q=red")
    assert lines(caplog) == [200, 400, 404, 200]


def test_wrong_settings_are_still_logged(gallery, client_of, caplog):
    client = client_of(gallery, CLIPSEARCH_LOG_SAMPLE="all")
    assert client.get("/?q=red").status_code == 500
    assert "CLIPSEARCH_LOG_SAMPLE" in caplog.text
    assert lines(caplog) == [500]
    assert json.loads(client.get("/health").text) == {"status": "ok"}

"""Compressed answers, and answers that a client has already."""

import asyncio
import gzip
import json

import pytest

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LONG, SHORT = "/?q=blue", "/health"


def raw(client, path, accepted, method="GET", **headers):
    """(the response, its bytes as sent)."""

    async def ask():
        async with client.session() as session:
            asked = {"Accept-Encoding": accepted, **headers}
            async with session.stream(method, path, headers=asked) as response:
                return response, b"".join([piece async for piece in response.aiter_raw()])

    return asyncio.run(ask())


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip", "gzip;q=0.5", "*", "GZIP"])
def test_a_long_answer_is_compressed_for_those_who_accept_it(client, accepted):
    response, body = raw(client, LONG, accepted)
    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) == len(body)
    assert "Accept-Encoding" in response.headers["vary"]
    plain = gzip.decompress(body)
    assert len(body) < len(plain)
    assert json.loads(plain)["results"][0]["name"] == "blue.jpg"


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "identity, gzip;q=0.5"])
def test_nobody_else_gets_it_compressed(client, accepted):
    response, body = raw(client, LONG, accepted)
    assert "content-encoding" not in response.headers
    assert "Accept-Encoding" in response.headers["vary"]
    assert json.loads(body)["results"]


def test_short_answers_and_those_without_a_body_are_not_compressed(client):
    for path, method in ((SHORT, "GET"), (LONG, "HEAD"), ("/docs", "HEAD"), ("/", "OPTIONS")):
        response, body = raw(client, path, "gzip", method)
        assert "content-encoding" not in response.headers
        assert "Accept-Encoding" in response.headers["vary"]
    tag = client.get("/docs").headers["etag"]
    response, body = raw(client, "/docs", "gzip", **{"If-None-Match": tag})
    assert (response.status_code, body) == (304, b"")
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("path", [LONG, "/docs"])
def test_pages_are_compressed(client, path):
    response, body = raw(client, path, "gzip", **BROWSER)
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body).startswith(b"<!doctype html>")


def test_so_are_problems_if_they_are_long(client, monkeypatch):
    monkeypatch.setattr("search.http.compression.MIN_BYTES", 10)
    response, body = raw(client, "/?q=", "gzip")
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(gzip.decompress(body))["detail"] == "q is empty"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_who_has_it_already_gets_a_304(client, path):
    first = client.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for sent in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = client.get(path, headers={"If-None-Match": sent})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == tag
        assert again.headers["vary"] == first.headers["vary"]
        assert again.headers["access-control-allow-origin"] == "*"
    for sent in ('"other"', "nonsense", ""):
        assert client.get(path, headers={"If-None-Match": sent}).status_code == 200
    assert client.request("HEAD", path, headers={"If-None-Match": tag}).status_code == 304


def test_answers_of_a_search_are_not_stored(client):
    for path in (LONG, "/status", "/?q="):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert "etag" not in headers

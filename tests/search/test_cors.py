"""A page from another origin may read the answers, if the settings say so."""

import pytest

from tests.support.pictures import png

HERE = "https://photos.example.org"
ELSEWHERE = "https://elsewhere.example.org"


def test_by_default_anyone_may_read_every_answer(client):
    for path in ("/?q=red", "/?q=", "/status", "/health", "/openapi.json", "/nothing"):
        headers = client.get(path, headers={"Origin": HERE}).headers
        assert headers["access-control-allow-origin"] == "*"
        assert headers["access-control-expose-headers"] == "Retry-After, Server-Timing"


def test_an_allowed_origin_is_echoed_and_another_one_is_not(gallery, client_of):
    client = client_of(gallery, CLIPSEARCH_ALLOWED_ORIGINS=f"http://localhost:8080,{HERE}")
    for path in ("/?q=red", "/?q=", "/nothing"):
        allowed = client.get(path, headers={"Origin": HERE}).headers
        assert allowed["access-control-allow-origin"] == HERE
        assert "Origin" in allowed["vary"]
        for headers in ({"Origin": ELSEWHERE}, {}):
            other = client.get(path, headers=headers).headers
            assert "access-control-allow-origin" not in other
            assert "Origin" in other["vary"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/", "GET, POST, HEAD, OPTIONS"), ("/status", "GET, HEAD, OPTIONS")],
)
def test_a_preflight_is_answered(client, path, methods):
    asked = {"Origin": HERE, "Access-Control-Request-Method": "POST"}
    response = client.request("OPTIONS", path, headers=asked)
    assert response.status_code == 204
    assert response.content == b""
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == methods
    assert "Content-Type" in response.headers["access-control-allow-headers"]
    assert int(response.headers["access-control-max-age"]) > 0


def test_a_preflight_of_nothing_is_a_404_with_its_header(client):
    response = client.request("OPTIONS", "/nothing")
    assert response.status_code == 404
    assert response.headers["access-control-allow-origin"] == "*"


def test_an_answer_depends_on_accept(client):
    assert "Accept" in client.get("/?q=red").headers["vary"]
    assert "Accept" in client.post_image(png("red")).headers["vary"]

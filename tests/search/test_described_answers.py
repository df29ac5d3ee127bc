"""Answers are as the description says, with every field described."""

import pytest

from tests.search.conftest import classify, form
from tests.support.json_schema import faults, resolved
from tests.support.pictures import png


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def assert_described(document, method, path, response):
    operation = document["paths"][path][method.lower()]
    described = operation["responses"].get(str(response.status_code))
    assert described, f"{response.status_code} of {method} {path} is not described"
    described = resolved(document, described)
    content_type = response.headers["content-type"].split(";")[0]
    assert content_type in described["content"]
    for header in described["headers"]:
        assert header.lower() in response.headers
    schema = described["content"][content_type]["schema"]
    if content_type != "text/html":
        assert list(faults(document, schema, response.json(), is_whole=True)) == []


def test_answers_are_as_described(gallery, client, document):
    gallery.fail(broken="cut off")
    asked = [
        ("GET", "/", client.get("/?q=blue&limit=2")),
        ("GET", "/", client.get("/", params={"q": "blue " * 50})),
        ("GET", "/", client.get("/?like=blue.jpg")),
        ("GET", "/", client.get("/")),
        ("GET", "/", client.get("/?q=blue&sort=oldest&folder=a")),
        ("GET", "/facets", client.get("/facets?q=blue&orientation=landscape")),
        ("POST", "/search", client.post("/search", json={"filter": {"after": "2023"}})),
        ("POST", "/", client.post_image(png("blue"), q="red", limit=1)),
        ("GET", "/", client.get("/?q=blue&not=red")),
        ("POST", "/search", client.post("/search", json={"terms": [{"text": "blue"}]})),
        ("POST", "/classify", classify(client, png("blue"), "red", "blue " * 50)),
        ("POST", "/classify", classify(client, [png("blue")] * 8, "red", "blue " * 50)),
        ("GET", "/embed", client.get("/embed", params={"q": "blue " * 50})),
        ("POST", "/embed", client.post("/embed", files={"image": png("blue")})),
        ("GET", "/status", client.get("/status")),
        ("GET", "/health", client.get("/health")),
        ("GET", "/openapi.json", client.get("/openapi.json")),
        ("GET", "/docs", client.get("/docs")),
    ]
    for method, path, response in asked:
        assert response.status_code == 200
        assert_described(document, method, path, response)


def test_where_a_browser_is_sent_is_described(client, document):
    posted = {"files": {"image": png("blue")}, "headers": {"Accept": "text/html"}}
    response = client.post("/", **posted)
    assert response.status_code == 303
    described = resolved(document, document["paths"]["/"]["post"]["responses"]["303"])
    for header in described["headers"]:
        assert header.lower() in response.headers


def test_errors_are_as_described(
    gallery, empty_gallery, client_of, client, document, stalled, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("search.http.body.MAX_ARRIVAL", 0.1)
        asked = [("POST", "/", client.post(**stalled))]
    asked += [
        ("GET", "/", client.get("/?q=")),
        ("GET", "/", client.get("/?like=nobody.jpg")),
        ("GET", "/status", client.get("/status?a=b")),
        ("GET", "/openapi.json", client.get("/openapi.json?a=b")),
        ("POST", "/", client.post(**form(("near", None, b"91,0,1")))),
        ("GET", "/facets", client.get("/facets?after=never")),
        ("GET", "/facets", client.get("/facets?like=nobody.jpg")),
        ("POST", "/", client.post(content=b"{}", headers={"Content-Type": "application/json"})),
        ("POST", "/", client.post_image(b"words")),
        ("POST", "/search", client.post("/search", json={"filter": {"near": []}})),
        ("POST", "/search", client.post("/search", content=b"{}")),
        ("POST", "/search", client.post("/search", json={"terms": [{"like": "nobody.jpg"}]})),
        ("POST", "/classify", classify(client, png("blue"), "red")),
        ("POST", "/classify", classify(client, b"words", "red", "blue")),
        ("GET", "/embed", client.get("/embed?q=")),
        ("POST", "/embed", client.post("/embed", files={"image": b"words"})),
        ("POST", "/", client.post_image(png("blue") + bytes(20_000_000))),
    ]
    fetching = client_of(gallery, CLIPSEARCH_FETCH_URLS="1")
    monkeypatch.setattr("search.fetch.network.resolve", lambda host, port: [])
    asked.append(("GET", "/", fetching.get("/?url=http://photos.example")))
    asked.append(("POST", "/", fetching.post(**form(("url", None, b"http://photos.example")))))
    body = {"terms": [{"url": "http://photos.example"}]}
    asked.append(("POST", "/search", fetching.post("/search", json=body)))
    index = gallery.environment.pop("CLIPSEARCH_INDEX")
    failing = client_of(gallery)
    asked += [("GET", "/", failing.get("/?q=red")), ("GET", "/status", failing.get("/status"))]
    asked.append(("POST", "/", failing.post_image(png("blue"))))
    gallery.environment["CLIPSEARCH_INDEX"] = index
    for pointer in gallery.folder.glob("index/models/current/*"):
        pointer.unlink()
    waiting = client_of(gallery)
    asked += [("GET", "/", waiting.get("/?q=red")), ("GET", "/status", waiting.get("/status"))]
    asked.append(("POST", "/", waiting.post_image(png("blue"))))
    asked.append(("POST", "/classify", classify(waiting, png("blue"), "red", "blue")))
    asked.append(("GET", "/embed", waiting.get("/embed?q=red")))
    for method, path, response in asked:
        assert response.status_code >= 400
        assert_described(document, method, path, response)
    found = {response.status_code for _, _, response in asked}
    assert found == {400, 404, 408, 413, 415, 422, 424, 500, 503}


def test_the_checker_finds_what_is_not_as_described(document, client):
    schema = {"$ref": "#/components/schemas/Answer"}
    answer = client.get("/?q=blue").json()
    assert list(faults(document, schema, answer)) == []
    either = {"oneOf": [schema, {"$ref": "#/components/schemas/Health"}]}
    assert list(faults(document, either, answer)) == []
    answer["surprise"] = 1
    assert list(faults(document, either, answer)) == []
    assert len(list(faults(document, either, answer, is_whole=True))) == 1
    assert len(list(faults(document, either, answer["index"]))) == 1
    answer["results"][0]["width"] = -1
    del answer["results"][1]["url"]
    answer["index"]["photos"] = "four"
    assert sorted(faults(document, schema, answer, is_whole=True)) == [
        "$.index.photos is no integer: 'four'",
        "$.results[0].width is beyond the minimum 0: -1",
        "$.results[1] lacks url",
        "$.surprise is not described",
    ]

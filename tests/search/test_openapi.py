"""The description says what the function does: every path, parameter, status and field."""

import re

import pytest

from clipsearch.images.decode import MAX_BYTES, MAX_PIXELS
from clipsearch.images.kinds import FORMATS
from clipsearch.version import __version__
from search.engine.query import LIMIT_DEFAULT, MAX_TERMS
from search.engine.status import FAILURES_SHOWN
from search.http.body import GRACE, MAX_ARRIVAL, MIN_RATE
from search.http.errors import TABLE
from search.http.json_query import QUERY_KEYS, TERM_KEYS
from search.http.params import (
    EMBED_PARAMETERS,
    GET_PARAMETERS,
    LABEL,
    LIMIT_MAX,
    MAX_IMAGES,
    MAX_LABELS,
    MIN_LABELS,
    POST_PARAMETERS,
)
from search.main import ROUTES
from tests.search.conftest import classify, form
from tests.support.pictures import png

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
SAY_NOTHING_OF_NULL = ("required", "properties", "additionalProperties", "minimum", "maximum")
# words of JSON Schema that say nothing about which values are right
SILENT = {"description", "default", "format", "contentMediaType"}


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def resolved(document, node):
    """`node`, or what its $ref points to."""
    if "$ref" not in node:
        return node
    found = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(document, found)


def faults(document, schema, value, where="$"):
    """What is wrong with `value`; of JSON Schema it knows the words that the document uses."""
    schema = resolved(document, schema)
    for word, wanted in schema.items():
        if value is None and word in SAY_NOTHING_OF_NULL:
            continue  # they speak of objects and numbers; "type" says whether null will do
        if word == "type":
            types = [wanted] if isinstance(wanted, str) else wanted
            is_odd = isinstance(value, bool) and "boolean" not in types
            if not any(isinstance(value, TYPES[t]) for t in types) or is_odd:
                yield f"{where} is no {wanted}: {value!r}"
                return
        elif word == "enum":
            if value not in wanted:
                yield f"{where} is none of {wanted}: {value!r}"
        elif word == "const":
            if value != wanted:
                yield f"{where} is not {wanted!r}: {value!r}"
        elif word in ("minimum", "maximum"):
            if (value < wanted) if word == "minimum" else (value > wanted):
                yield f"{where} is beyond the {word} {wanted}: {value!r}"
        elif word in ("minLength", "minItems", "maxItems"):
            if (len(value) > wanted) if word == "maxItems" else (len(value) < wanted):
                yield f"{where} breaks {word} {wanted}"
        elif word == "oneOf":
            found = [list(faults(document, choice, value, where)) for choice in wanted]
            if sum(not wrong for wrong in found) != 1:
                yield f"{where} is not one of {len(wanted)} kinds: {found}"
        elif word == "required":
            yield from (f"{where} lacks {name}" for name in wanted if name not in value)
        elif word == "properties":
            for name in value.keys() & wanted.keys():
                yield from faults(document, wanted[name], value[name], f"{where}.{name}")
        elif word == "additionalProperties":
            assert wanted is False
            unknown = value.keys() - schema["properties"].keys()
            yield from (f"{where}.{name} is not described" for name in unknown)
        elif word == "items":
            for number, item in enumerate(value):
                yield from faults(document, wanted, item, f"{where}[{number}]")
        else:
            assert word in SILENT, f"this test does not know {word!r}"


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
        assert list(faults(document, schema, response.json())) == []


def walk(node):
    yield node
    if isinstance(node, (dict, list)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from walk(child)


def test_paths_and_methods_are_those_of_the_function(document):
    described = {path: {m.upper() for m in item} for path, item in document["paths"].items()}
    assert described == {path: set(handlers) for path, handlers in ROUTES.items()}


def test_the_version_is_that_of_the_function(document):
    assert document["info"]["version"] == __version__


def test_parameters_are_those_of_the_function(document):
    def named(method, path="/"):
        operation = document["paths"][path][method]
        return [resolved(document, p)["name"] for p in operation["parameters"]]

    assert tuple(named("get")) == GET_PARAMETERS
    assert tuple(named("post")) == POST_PARAMETERS
    form_schema = document["components"]["schemas"]["Form"]
    assert form_schema["properties"].keys() == {"image", *POST_PARAMETERS}
    assert tuple(named("get", "/embed")) == tuple(named("post", "/embed")) == EMBED_PARAMETERS
    schemas = document["components"]["schemas"]
    assert schemas["EmbedForm"]["properties"].keys() == {"image", *EMBED_PARAMETERS}
    assert named("post", "/classify") == [LABEL]
    assert schemas["ClassifyForm"]["properties"].keys() == {"image", LABEL}
    images = schemas["ClassifyForm"]["properties"]["image"]
    answered = schemas["Classifications"]["properties"]["images"]
    assert (images["minItems"], images["maxItems"]) == (1, MAX_IMAGES)
    assert (answered["minItems"], answered["maxItems"]) == (2, MAX_IMAGES)
    labels = schemas["ClassifyForm"]["properties"][LABEL]
    assert (labels["minItems"], labels["maxItems"]) == (MIN_LABELS, MAX_LABELS)
    limits = [document["components"]["parameters"]["limit"]["schema"]]
    limits.append(form_schema["properties"]["limit"])
    assert schemas["Search"]["properties"].keys() == set(QUERY_KEYS)
    assert schemas["Term"]["properties"].keys() == set(TERM_KEYS)
    assert schemas["Search"]["properties"]["terms"]["maxItems"] == MAX_TERMS
    limits.append(schemas["Search"]["properties"]["limit"])
    for limit in limits:
        assert (limit["minimum"], limit["maximum"]) == (1, LIMIT_MAX)
        assert limit["default"] == LIMIT_DEFAULT


def test_every_status_of_an_error_is_described_and_no_other(document):
    described = {
        int(status)
        for node in walk(document["paths"])
        if isinstance(node, dict)
        for status in node.get("responses", {})
    }
    # unknown paths and methods have no operation that could describe them
    assert described - {200, 303} == {status for _, status in TABLE} - {405} | {500}


def test_every_reference_leads_somewhere_and_everything_is_referred_to(document):
    references = {
        node["$ref"] for node in walk(document) if isinstance(node, dict) and "$ref" in node
    }
    for reference in references:
        assert resolved(document, {"$ref": reference})
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in document["components"].items()
        for name in named
    }
    assert references == components


def test_numbers_and_formats_in_the_prose_are_those_of_the_code(document):
    schemas = document["components"]["schemas"]
    image = schemas["Picture"]["description"]
    refused = document["components"]["responses"]["UnreadablePhoto"]["description"]
    too_large = document["components"]["responses"]["TooLarge"]["description"]
    assert f"{MAX_BYTES:,} bytes" in image
    assert f"{MAX_BYTES:,} bytes" in too_large
    together = schemas["ClassifyForm"]["properties"]["image"]["description"]
    assert f"{MAX_BYTES:,} bytes" in together
    for text in (image, refused):
        assert f"{MAX_PIXELS // 1_000_000} megapixels" in text
        assert set(re.findall("|".join(FORMATS), text)) == set(FORMATS)
    too_slow = document["components"]["responses"]["TooSlow"]["description"]
    for number in (f"{MAX_ARRIVAL} seconds", f"{GRACE} seconds", f"{MIN_RATE // 1000} kB"):
        assert number in too_slow
    assert schemas["Status"]["properties"]["failures"]["maxItems"] == FAILURES_SHOWN


def test_answers_are_as_described(gallery, client, document):
    gallery.fail(broken="cut off")
    asked = [
        ("GET", "/", client.get("/?q=blue&limit=2")),
        ("GET", "/", client.get("/", params={"q": "blue " * 50})),
        ("GET", "/", client.get("/?like=blue.jpg")),
        ("GET", "/", client.get("/?q=blue", headers={"Accept": "text/html"})),
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
        ("GET", "/", client.get("/?q=", headers={"Accept": "text/html"})),
        ("GET", "/", client.get("/?like=nobody.jpg")),
        ("GET", "/status", client.get("/status?a=b")),
        ("GET", "/openapi.json", client.get("/openapi.json?a=b")),
        ("POST", "/", client.post(**form())),
        ("POST", "/", client.post(content=b"{}", headers={"Content-Type": "application/json"})),
        ("POST", "/", client.post_image(b"words")),
        ("POST", "/search", client.post("/search", json={"terms": []})),
        ("POST", "/search", client.post("/search", content=b"{}")),
        ("POST", "/search", client.post("/search", json={"terms": [{"like": "nobody.jpg"}]})),
        ("POST", "/classify", classify(client, png("blue"), "red")),
        ("POST", "/classify", classify(client, b"words", "red", "blue")),
        ("GET", "/embed", client.get("/embed?q=")),
        ("POST", "/embed", client.post("/embed", files={"image": b"words"})),
        ("POST", "/", client.post_image(png("blue") + bytes(20_000_000))),
    ]
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
    assert found == {400, 404, 408, 413, 415, 422, 500, 503}


def test_the_checker_finds_what_is_not_as_described(document, client):
    schema = {"$ref": "#/components/schemas/Answer"}
    answer = client.get("/?q=blue").json()
    assert list(faults(document, schema, answer)) == []
    either = {"oneOf": [schema, {"$ref": "#/components/schemas/Health"}]}
    assert list(faults(document, either, answer)) == []
    answer["surprise"] = 1
    assert len(list(faults(document, either, answer))) == 1
    answer["results"][0]["width"] = -1
    del answer["results"][1]["url"]
    answer["index"]["photos"] = "four"
    assert sorted(faults(document, schema, answer)) == [
        "$.index.photos is no integer: 'four'",
        "$.results[0].width is beyond the minimum 0: -1",
        "$.results[1] lacks url",
        "$.surprise is not described",
    ]

"""The description says what the function does: every path, parameter, status and field."""

import re

import pytest

from clipsearch.images.decode import MAX_BYTES, MAX_PIXELS
from clipsearch.images.kinds import FORMATS
from clipsearch.version import __version__
from search.engine.criteria import ORIENTATIONS
from search.engine.query import LIMIT_DEFAULT, MAX_TERMS, SORTS
from search.engine.status import FAILURES_SHOWN
from search.http.body import GRACE, MAX_ARRIVAL, MIN_RATE
from search.http.errors import TABLE
from search.http.filters import FILTER_PARAMETERS, MOST_KM, MOST_MEGAPIXELS, NEAR_KEYS
from search.http.filters import FORMATS as FORMATS_OF_FILTERS
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
    STACKS,
)
from search.main import ROUTES
from tests.support.json_schema import faults, resolved, walk


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def test_paths_and_methods_are_those_of_the_function(document):
    described = {path: {m.upper() for m in item} for path, item in document["paths"].items()}
    assert described == {path: set(handlers) for path, handlers in ROUTES.items()}


def test_the_version_is_that_of_the_function(document):
    assert document["info"]["version"] == __version__


def test_parameters_are_those_of_the_function(document):
    def named(method, path="/"):
        operation = document["paths"][path][method]
        return [resolved(document, p)["name"] for p in operation["parameters"]]

    assert tuple(named("get")) == tuple(named("get", "/facets")) == GET_PARAMETERS
    form_schema = document["components"]["schemas"]["Form"]
    assert form_schema["properties"].keys() == {"image", *POST_PARAMETERS}
    assert tuple(named("get", "/embed")) == EMBED_PARAMETERS
    schemas = document["components"]["schemas"]
    assert schemas["EmbedForm"]["properties"].keys() == {"image", *EMBED_PARAMETERS}
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
    assert tuple(schemas["Filter"]["properties"]) == FILTER_PARAMETERS
    assert tuple(schemas["Near"]["properties"]) == NEAR_KEYS
    assert schemas["Near"]["properties"]["km"]["maximum"] == MOST_KM
    assert tuple(schemas["Format"]["enum"]) == FORMATS_OF_FILTERS
    assert tuple(schemas["Orientation"]["enum"]) == ORIENTATIONS
    assert tuple(schemas["Sort"]["enum"]) == SORTS
    assert document["components"]["parameters"]["stack"]["schema"]["enum"] == list(STACKS)
    for node in walk(document):
        if isinstance(node, dict) and "min_megapixels" in node:
            size = node["min_megapixels"]
            size = size.get("schema", size)
            assert (size["minimum"], size["maximum"]) == (0, MOST_MEGAPIXELS)
    assert schemas["Search"]["properties"]["terms"]["maxItems"] == MAX_TERMS
    limits.append(schemas["Search"]["properties"]["limit"])
    for limit in limits:
        assert (limit["minimum"], limit["maximum"]) == (1, LIMIT_MAX)
    described = [document["components"]["parameters"]["limit"]]
    described += [schemas[name]["properties"]["limit"] for name in ("Form", "Search")]
    assert all(f"{LIMIT_DEFAULT} if absent" in limit["description"] for limit in described)


def test_no_field_can_be_sent_twice_or_is_sent_unasked(document):
    """Generated clients send defaults, and parameters of the URL besides the same field."""
    for path, methods in document["paths"].items():
        assert "parameters" not in methods.get("post", {}), path
    assert not any("default" in node for node in walk(document) if isinstance(node, dict))


def test_a_response_has_one_type_of_content(document):
    """With several, clients in TypeScript get a union that they must take apart."""
    for node in walk(document):
        if isinstance(node, dict) and "content" in node:
            assert len(node["content"]) == 1


def test_pictures_are_files_and_constants_have_types(document):
    """What the generators of clients need."""
    assert document["components"]["schemas"]["Picture"]["format"] == "binary"
    for node in walk(document["components"]["schemas"]):
        if isinstance(node, dict):
            assert "const" not in node
            assert "enum" not in node or node["type"] == "string"


def test_answers_may_grow_and_requests_may_not(document):
    schemas = document["components"]["schemas"]
    sent = {
        "Search",
        "Term",
        "Filter",
        "Near",
        *(name for name in schemas if name.endswith("Form")),
    }
    for name, schema in schemas.items():
        closed = [node for node in walk(schema) if isinstance(node, dict)]
        assert any("additionalProperties" in node for node in closed) == (name in sent), name


def examples_of(described):
    """The examples of a parameter or of a body."""
    several = [example["value"] for example in described.get("examples", {}).values()]
    return [*several, described["example"]] if "example" in described else several


def test_everything_that_is_sent_or_answered_has_an_example_that_is_right(document):
    bodies, checked = document["components"]["responses"], 0
    inline = [
        response
        for methods in document["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
        if "$ref" not in response
    ]
    for response in [*bodies.values(), *inline]:
        for body in response.get("content", {}).values():
            if body["schema"] in ({"type": "object"}, {"type": "string"}):
                continue
            assert examples_of(body)
            for example in examples_of(body):
                assert list(faults(document, body["schema"], example, is_whole=True)) == []
                checked += 1
    assert checked > 10
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                parameter = resolved(document, parameter)
                [example] = examples_of(parameter)
                assert list(faults(document, parameter["schema"], example)) == []
    search = document["paths"]["/search"]["post"]["requestBody"]["content"]["application/json"]
    assert list(faults(document, search["schema"], search["example"])) == []


def test_the_example_of_a_problem_has_its_status(document):
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                content = resolved(document, response).get("content", {})
                if problem := content.get("application/problem+json"):
                    assert problem["example"]["status"] == int(status)


def test_every_status_of_an_error_is_described_and_no_other(document):
    described = {
        int(status)
        for node in walk(document["paths"])
        if isinstance(node, dict)
        for status in node.get("responses", {})
    }
    # unknown paths and methods have no operation that could describe them
    assert described - {200, 303, 304} == {status for _, status in TABLE} - {405} | {500}


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

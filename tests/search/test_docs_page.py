"""GET /docs: the description as a page that loads nothing else."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from tests.support.json_schema import resolved

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Parsed(HTMLParser):
    """Checks that tags are nested; collects ids, links, text and examples."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.text = [], set(), [], [], ""
        self.examples = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if "href" in values:
            self.links.append(values["href"])
        if tag == "pre":
            self.examples.append("")
        assert "src" not in values
        assert "style" not in values  # the policy forbids it

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "pre" in self.open:
            self.examples[-1] += data


@pytest.fixture
def response(client):
    return client.get("/docs")


@pytest.fixture
def page(response):
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Parsed(response.text)


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def test_it_is_well_formed_and_asks_nobody_for_anything(page):
    assert not page.tags & {"script", "link", "img", "iframe", "form"}
    for link in page.links:
        assert link == "openapi.json" or link[1:] in page.ids, link
    assert len(page.ids) == len(set(page.ids))


def test_its_policy_allows_its_own_style_and_nothing_else(response):
    [style] = re.findall("<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert response.headers["x-content-type-options"] == "nosniff"


def test_it_says_everything_that_the_description_says(page, document):
    said = " ".join(page.text.split())
    texts = [document["info"]["description"], document["info"]["version"]]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            texts += [f"{method.upper()} {path}", operation["summary"]]
            texts += [operation.get("description", "")]
            for parameter in operation.get("parameters", []):
                parameter = resolved(document, parameter)
                texts += [parameter["name"], parameter["description"]]
            for status, response in operation["responses"].items():
                texts += [status, resolved(document, response)["description"]]
    for name, schema in document["components"]["schemas"].items():
        texts += [] if name.endswith("Form") else [name]
        texts += [*schema.get("properties", {}), schema.get("description", "")]
        texts += [field.get("description", "") for field in schema.get("properties", {}).values()]
    for text in texts:
        assert " ".join(text.split()) in said, text


def test_its_examples_are_those_of_the_description(page, document):
    shown = [json.loads(example) for example in page.examples]
    responses = document["components"]["responses"]
    assert responses["Found"]["content"]["application/json"]["example"] in shown
    for example in responses["Classified"]["content"]["application/json"]["examples"].values():
        assert example["value"] in shown


def test_it_takes_no_parameters(client):
    assert client.get("/docs?a=b").status_code == 400

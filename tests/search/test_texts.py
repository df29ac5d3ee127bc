"""Texts over HTTP: what nobody sees is as if it was not there."""

import pytest

from tests.search.conftest import classify, form
from tests.support.pictures import png

INVISIBLE = [
    "\u200b",
    "\ufeff",
    "\xad\u2060",
    "\u200e\u202e\u2068",
    "\u200d\ufe0f",
    "\xa0\u3000\t",
    "\0",
]


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_a_text_of_invisible_characters_is_an_empty_text(client, text):
    def ask(words):
        data = words.encode()
        yield client.get("/", params={"q": words})
        yield client.get("/embed", params={"q": words})
        yield client.post("/embed", **form(("q", None, data)))
        yield classify(client, png("red"), "red", words)

    for found, empty in zip(ask(text), ask(" "), strict=True):
        assert found.status_code == 400
        assert found.json() == empty.json()


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_in_a_form_an_invisible_text_means_no_term(client, text):
    found = client.post(**form(("q", None, text.encode()))).json()
    assert found["results"] == client.get("/").json()["results"]


def test_beside_a_picture_an_invisible_text_means_no_words(client):
    results = client.post_image(png("red"), q="\u200b").json()["results"]
    assert results == client.post_image(png("red")).json()["results"]


@pytest.mark.parametrize(
    "space", ["\t", "\n", "\xa0", "\u3000", " \u200b", "\u200f \u200e"], ids=ascii
)
def test_white_space_and_invisible_characters_change_no_answer(client, space):
    usual, found = (
        client.get("/embed", params={"q": f"a{between}red photo"}).json()["embedding"]
        for between in (" ", space)
    )
    assert found == pytest.approx(usual, abs=1e-6)


def test_labels_that_are_read_alike_are_given_more_than_once(client):
    response = classify(client, png("red"), "a red photo", "a\xa0red\u200b photo", "blue")
    assert response.status_code == 400
    assert "more than once" in response.json()["detail"]

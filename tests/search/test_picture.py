"""A search by picture as a link: what /embed gives for an address is as good as the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.engine.errors import BadQuery
from search.engine.picture import as_picture, decode_picture
from tests.search.test_errors import assert_problem
from tests.support.pictures import png

SPACE = "0123456789ab"


def unit(dim, seed=0):
    vector = np.random.default_rng(seed).normal(size=dim).astype(np.float32)
    return vector / np.linalg.norm(vector)


def picture_of(client, image):
    answer = client.post("/embed", files={"image": image}).json()
    return answer["picture"]


def names_and_scores(answer):
    return [(result["name"], pytest.approx(result["score"], abs=1e-4)) for result in answer]


def test_the_link_finds_what_the_picture_finds(client):
    image = png((40, 60, 200))
    posted = client.post_image(image).json()["results"]
    linked = client.get("/", params={"picture": picture_of(client, image)})
    assert linked.status_code == 200
    assert [(r["name"], r["score"]) for r in linked.json()["results"]] == names_and_scores(posted)


def test_words_go_with_it_as_with_the_picture(client):
    image = png("blue")
    posted = client.post_image(image, q="red").json()["results"]
    linked = client.get("/", params={"picture": picture_of(client, image), "q": "red"}).json()
    assert [(r["name"], r["score"]) for r in linked["results"]] == names_and_scores(posted)


def test_it_is_paged_by_its_address_and_the_cursor_belongs_to_it(client):
    blue, red = (picture_of(client, png(colour)) for colour in ("blue", "red"))
    every = client.get("/", params={"picture": blue}).json()["results"]
    first = client.get("/", params={"picture": blue, "limit": 3}).json()
    rest = {"limit": 3, "cursor": first["next_cursor"]}
    last = client.get("/", params={"picture": blue, **rest}).json()
    assert first["results"] + last["results"] == every
    assert_problem(client.get("/", params={"picture": red, **rest}), 400, "cursor belongs to")


def test_a_text_has_none(client):
    assert "picture" not in client.get("/embed?q=red").json()


def test_another_models_is_refused(client):
    other = as_picture(SPACE, unit(8)).text()
    assert_problem(client.get("/", params={"picture": other}), 400, "belongs to another model")


@pytest.mark.parametrize("picture", ["", "%20", "a", "AAAA", "AAAAAAAAAAA", "%C3%BC"])
def test_anything_else_is_a_400(client, picture):
    assert_problem(client.get(f"/?picture={picture}"), 400, "picture")


def test_a_vector_comes_back_as_it_was_but_for_its_last_digits():
    vector = unit(512)
    text = as_picture(SPACE, vector).text()
    assert len(text) == 1374
    found = decode_picture(text).vector(SPACE, 512)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, vector, atol=1e-4)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("numbers", [np.zeros(8), np.full(8, np.nan), np.full(8, np.inf)])
def test_what_is_no_direction_is_refused(numbers):
    picture = decode_picture(as_picture(SPACE, numbers.astype(np.float32)).text())
    with pytest.raises(BadQuery, match="is incomplete"):
        picture.vector(SPACE, 8)
    with pytest.raises(BadQuery, match="is incomplete"):
        picture.vector(SPACE, 9)


@given(st.one_of(st.text(), st.text("abcXYZ019-_=", max_size=60)))
def test_any_text_is_a_picture_or_a_bad_request(text):
    try:
        picture = decode_picture(text)
    except BadQuery:
        return
    assert len(picture.space) == 12
    assert picture.numbers

"""Results say how well they match, with the demo model in libraries of all kinds."""

import json
import shutil

import numpy as np
import pytest

from model_export.demo import BUNDLE
from model_export.demo.scenes import Group, Scene, draw
from tests.search.conftest import Gallery
from tests.search.test_page import BROWSER, Page
from tests.support.pictures import encoded

CAR, BOAT = Group("car", "red", 1), Group("boat", "white", 1)
NO_CARS = [
    Scene((Group(thing, colour, count),), place)
    for thing, place in (("tree", "day"), ("fish", "sea"), ("star", "night"), ("cat", "snow"))
    for colour in ("green", "yellow", "blue", "black")
    for count in (1, 2)
]
RED_CARS = [
    Scene((Group("car", "red", count),), place) for count in (1, 2) for place in ("day", "snow")
]
NONSENSE = ("quarterly tax report", "xqzv wkjp", "a wedding in a church")


def photo(scene, seed):
    return encoded(draw(scene, 128, np.random.default_rng(seed)), "PNG")


@pytest.fixture
def demo(tmp_path, client_of):
    """Makes a client of a library of these scenes: 000.png, 001.png, …"""

    def make(*scenes, bundle=BUNDLE, copies=1, **settings):
        gallery = Gallery(tmp_path / "demo", bundle)
        gallery.publish()
        gallery.add_all({f"{i:03}.png": photo(scene, i) for i, scene in enumerate(scenes)})
        for copy in range(1, copies):
            gallery.add_all({f"{i:03} {copy}.png": photo(s, i) for i, s in enumerate(scenes)})
        return client_of(gallery, **settings)

    return make


def without_numbers(folder):
    """The demo's bundle as it was exported before."""
    shutil.copytree(BUNDLE, folder)
    document = json.loads((folder / "model.json").read_bytes())
    del document["matching"]
    (folder / "model.json").write_text(json.dumps(document))
    return folder


def asked(client, **parameters):
    response = client.get("/", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def good(answer):
    return [result["name"] for result in answer["results"] if result["match"] == "good"]


def test_matches_are_good_and_others_are_not(demo):
    client = demo(*RED_CARS, *NO_CARS)
    answer = asked(client, q="a red car", limit=100)
    assert sorted(good(answer)) == ["000.png", "001.png", "002.png", "003.png"]
    assert answer["matches"] == {"count": 4, "estimated": False}
    assert len(answer["results"]) == len(RED_CARS) + len(NO_CARS)  # nothing is left out
    confidences = [result["confidence"] for result in answer["results"]]
    assert confidences == sorted(confidences, reverse=True)
    for result in answer["results"]:
        least = {"good": 0.5, "maybe": 0.1, "none": 0.0}[result["match"]]
        assert least <= result["confidence"] <= 1


def test_a_longer_text_has_a_higher_threshold(demo):
    client = demo(*RED_CARS, *NO_CARS)
    assert good(asked(client, q="two red cars in the snow")) == ["003.png"]
    assert sorted(good(asked(client, q="a car in the snow"))) == ["001.png", "003.png"]


@pytest.mark.parametrize("words", [*NONSENSE, "a pink umbrella"])
def test_where_nothing_matches_the_closest_are_still_there(demo, words):
    answer = asked(demo(*RED_CARS, *NO_CARS), q=words, limit=5)
    assert answer["matches"] == {"count": 0, "estimated": False}
    assert good(answer) == []
    assert len(answer["results"]) == 5


def test_one_photo_is_enough(demo):
    client = demo(RED_CARS[0])
    assert good(asked(client, q="a red car")) == ["000.png"]
    assert asked(client, q="a white boat")["matches"]["count"] == 0


def test_a_library_in_which_all_match(demo):
    """A threshold from the library alone would find that none stands out."""
    cars = [Scene((Group("car", "red", n),), p) for n in (1, 2, 3) for p in ("day", "sea", "snow")]
    answer = asked(demo(*cars, *cars), q="a red car")
    assert answer["matches"]["count"] == len(good(answer)) >= 0.8 * 2 * len(cars)


def test_an_empty_library_matches_nothing(demo, tmp_path):
    client = demo(RED_CARS[0])
    Gallery(tmp_path / "demo", BUNDLE).remove("000.png")
    answer = asked(client, q="a red car")
    assert (answer["results"], answer["matches"]["count"]) == ([], 0)


@pytest.mark.parametrize("by", ["picture", "like"])
def test_a_picture_matches_another_drawing_of_its_scene(demo, by):
    client = demo(Scene((BOAT, CAR), "day"), Scene((BOAT, CAR), "day"), *RED_CARS, *NO_CARS)
    if by == "like":
        answer, expected = asked(client, like="000.png"), ["001.png"]
    else:
        answer = client.post_image(photo(Scene((BOAT, CAR), "day"), 99)).json()
        expected = ["000.png", "001.png"]
    assert sorted(good(answer)) == expected
    assert answer["matches"] == {"count": len(expected), "estimated": False}


def test_all_photos_are_like_one_and_it_is_not_counted(demo):
    client = demo(*[RED_CARS[0]] * 5)
    answer = asked(client, like="000.png", limit=2)
    assert answer["matches"] == {"count": 4, "estimated": False}


def test_words_and_a_picture_are_not_judged(demo):
    client = demo(*RED_CARS)
    answer = client.post_image(photo(RED_CARS[0], 9), q="at night").json()
    assert answer["matches"] is None
    assert {(r["match"], r["confidence"]) for r in answer["results"]} == {(None, None)}
    refused = client.post_image(photo(RED_CARS[0], 9), q="at night", min_match="good")
    assert refused.status_code == 400
    assert "min_match works for one term, not for several" in refused.json()["detail"]


def test_an_older_model_answers_null(demo, tmp_path):
    client = demo(*RED_CARS, bundle=without_numbers(tmp_path / "old"))
    answer = asked(client, q="a red car")
    assert answer["matches"] is None
    assert {(r["match"], r["confidence"]) for r in answer["results"]} == {(None, None)}
    refused = client.get("/?q=a+red+car&min_match=maybe")
    assert refused.status_code == 400
    assert "export the model again" in refused.json()["detail"]


def test_min_match_leaves_out_worse_ones_and_changes_nothing_else(demo):
    client = demo(*RED_CARS, *NO_CARS)
    whole = asked(client, q="a red car", limit=100)["results"]
    for least, allowed in (("good", {"good"}), ("maybe", {"good", "maybe"})):
        answer = asked(client, q="a red car", limit=20, min_match=least)
        assert answer["results"] == [r for r in whole if r["match"] in allowed]
        assert answer["next_cursor"] is None
        assert answer["matches"]["count"] == 4
        terms = {"terms": [{"text": "a red car"}], "limit": 20, "min_match": least}
        posted = client.post("/search", json=terms).json()
        assert posted["results"] == answer["results"]
    refused = client.get("/?q=car&min_match=best")
    assert refused.status_code == 400
    assert "min_match must be good or maybe, not 'best'" in refused.json()["detail"]


def test_pages_agree_and_only_the_first_one_counts(demo):
    client = demo(*RED_CARS, *NO_CARS)
    whole = asked(client, q="a red car", limit=100)
    for more in ({}, {"min_match": "good"}):
        found, cursor = [], {}
        while True:
            page = asked(client, q="a red car", limit=3, **more, **cursor)
            assert page["matches"] == (None if cursor else whole["matches"])
            found += page["results"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == whole["results"][: len(good(whole)) if more else None]


def test_a_cursor_belongs_to_its_min_match(demo):
    client = demo(*RED_CARS, *NO_CARS)
    cursor = asked(client, q="a red car", limit=2, min_match="good")["next_cursor"]
    assert client.get("/", params={"q": "a red car", "cursor": cursor}).status_code == 400


def test_many_matches_are_counted_up_to_a_limit_and_then_estimated(demo, monkeypatch):
    monkeypatch.setattr("clipsearch.index.search.state.SAMPLE", 20)
    client = demo(*RED_CARS * 8, *NO_CARS)
    for limit, counted in ((40, 8), (5, 100)):  # told by the page, and by a longer search
        monkeypatch.setattr("search.engine.matches.COUNTED", counted)
        answer = asked(client, q="a red car", limit=limit, stack=0)
        assert answer["matches"] == {"count": 32, "estimated": False}
    monkeypatch.setattr("search.engine.matches.COUNTED", 8)
    answer = asked(client, q="a red car", limit=5, stack=0)
    assert answer["matches"]["estimated"]
    assert 16 <= answer["matches"]["count"] <= 48  # of 20 photos, so roughly


@pytest.mark.parametrize("match", ["good", "maybe"])
def test_near_duplicates_count_as_photos(demo, match):
    client = demo(*RED_CARS, *NO_CARS, copies=8)
    found = asked(client, q="a red car", limit=100, min_match=match)
    alone = asked(client, q="a red car", limit=100, min_match=match, stack=0)
    assert found["matches"] == alone["matches"] == {"count": 32, "estimated": False}
    assert sum(1 + len(r["also"]) for r in found["results"]) == len(alone["results"])
    assert len(found["results"]) == len(alone["results"]) / 8


def test_the_page_says_it(demo):
    client = demo(*RED_CARS, *NO_CARS)
    said = {
        "a red car": "4 good matches for “a red car”.",
        NONSENSE[0]: f"Nothing matches “{NONSENSE[0]}” well. Closest photos:",
    }
    for words, line in said.items():
        page = Page(client.get("/", params={"q": words}, headers=BROWSER))
        assert line in page.text
        assert len(page.all("img")) >= 24

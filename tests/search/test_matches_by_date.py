"""Order by date, filters and facets among the photos that match, with the demo model."""

import pytest

from model_export.demo import BUNDLE
from tests.search.conftest import Gallery
from tests.search.library import answer, names, pages, whole
from tests.search.test_errors import assert_problem
from tests.search.test_matches import NO_CARS, RED_CARS, good, photo
from tests.search.test_page import BROWSER, Page

CAR = {"q": "a red car"}


@pytest.fixture
def client(tmp_path, client_of):
    """Eight red cars among others, in 2023/ and 2024/; the later the name, the later the upload."""
    gallery = Gallery(tmp_path, BUNDLE)
    gallery.publish()
    scenes = [scene for pair in zip(NO_CARS, RED_CARS * 2, strict=False) for scene in pair]
    scenes += NO_CARS[8:]
    for number, scene in enumerate(scenes):
        gallery.add_all({f"{2023 + number % 4 // 2}/{number:02}.png": photo(scene, number)})
    return client_of(gallery)


def test_good_matches_are_in_the_order_of_dates(client):
    matching = good(answer(client.get("/", params={**CAR, "limit": 100})))
    assert len(matching) == 8
    for sort in ("newest", "oldest"):
        found = answer(client.get("/", params={**CAR, "sort": sort, "limit": 100}))
        assert sorted(good(found)) == sorted(matching)
        assert len(found["results"]) == 8
        assert found["matches"] == {"count": 8, "estimated": False}
        uploaded = [result["uploaded"] for result in found["results"]]
        assert uploaded == sorted(uploaded, reverse=sort == "newest")
        paged = [name for page in pages(client, **CAR, sort=sort, limit=3) for name in page]
        assert paged == [result["name"] for result in found["results"]]
    second = answer(client.get("/", params={**CAR, "sort": "newest", "limit": 3}))["next_cursor"]
    second = answer(client.get("/", params={**CAR, "sort": "newest", "cursor": second}))
    assert second["matches"] is None


def test_min_match_says_which_matches_are_in_the_order_of_dates(client):
    everything = answer(client.get("/", params={**CAR, "limit": 100}))["results"]
    for least, allowed in (("good", {"good"}), ("maybe", {"good", "maybe"})):
        expected = {result["name"] for result in everything if result["match"] in allowed}
        found = answer(client.get("/", params={**CAR, "sort": "oldest", "min_match": least}))
        assert {result["name"] for result in found["results"]} == expected
        assert found["matches"]["count"] == 8


def test_nothing_that_matches_is_an_empty_list(client):
    found = answer(client.get("/?q=quarterly+tax+report&sort=newest"))
    assert (found["results"], found["matches"]["count"]) == ([], 0)
    page = Page(client.get("/?q=quarterly+tax+report&sort=newest", headers=BROWSER))
    assert "Nothing matches “quarterly tax report” well." in page.text
    page = Page(client.get("/?q=a+red+car&sort=newest", headers=BROWSER))
    assert "8 good matches for “a red car”, newest first." in page.text


@pytest.mark.parametrize("limit", [2, 100])
def test_matches_are_counted_within_the_filter(client, limit, monkeypatch):
    for counted in (1000, 2):  # few matches, and more than are counted one by one
        monkeypatch.setattr("search.engine.matches.COUNTED", counted)
        for folder in ("2023", "2024"):
            found = answer(client.get("/", params={**CAR, "folder": folder, "limit": limit}))
            assert found["matches"] == {"count": 4, "estimated": False}
        [like, *_] = names(client.get("/", params={**CAR, "folder": "2023"}))
        for folder in ("2023", "2024"):
            asked = {"like": like, "folder": folder, "limit": limit}
            matching = whole(client, like=like, folder=folder, sort="newest")
            found = answer(client.get("/", params=asked))
            assert found["matches"] == {"count": len(matching), "estimated": False}
            assert like not in matching


def test_a_filter_changes_no_confidence(client):
    """The library that thresholds follow from stays whole."""
    everything = answer(client.get("/", params={**CAR, "limit": 100}))["results"]
    found = answer(client.get("/", params={**CAR, "limit": 100, "folder": "2023"}))["results"]
    assert found == [result for result in everything if result["name"].startswith("2023/")]


def test_facets_count_good_matches(client):
    facets = answer(client.get("/facets", params=CAR))
    assert facets["photos"] == 8
    folders = {one["folder"]: one["photos"] for one in facets["folders"]}
    assert folders == {"2023/": 4, "2024/": 4}
    assert sum(year["photos"] for year in facets["years"]) == 8
    assert facets["orientations"] == [{"orientation": "square", "photos": 8}]
    facets = answer(client.get("/facets", params={**CAR, "orientation": "portrait"}))
    assert facets["photos"] == 0
    assert facets["orientations"] == [{"orientation": "square", "photos": 8}]
    maybe = answer(client.get("/facets", params={**CAR, "min_match": "maybe"}))
    assert maybe["photos"] == len(whole(client, **CAR, sort="newest", min_match="maybe"))
    refused = client.get("/facets?q=car&q=boat&min_match=good")
    assert_problem(refused, 400, "min_match works for one term")

"""GET /facets against a brute-force reference."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from tests.search.conftest import LIBRARY
from tests.search.library import answer, next_cursor, whole
from tests.search.test_filters import FILTERS, IDS


def counted(library, **query):
    return answer(library.get("/facets", params=query))


@pytest.mark.parametrize(("filters", "_", "fits"), FILTERS, ids=IDS)
def test_facets_are_those_of_brute_force(library, photos, filters, _, fits):
    assert_facets(counted(library, **filters), photos, filters, fits)


def assert_facets(facets, photos, filters, fits):
    def without(*names):
        """The photos that fit without these filters; each case has one filter of a kind."""
        given = {name: value for name, value in filters.items() if name not in names}
        if given == filters:
            return [photo for photo in photos if fits(photo)]
        if not given:
            return photos
        return None  # not known by the cases

    fitting = [photo for photo in photos if fits(photo)]
    assert facets["photos"] == len(fitting)
    places = [photo for photo in fitting if photo.facts and photo.facts.place is not None]
    assert facets["places"] == len(places)
    folder = filters.get("folder", "")
    folder = folder if not folder or folder.endswith("/") else f"{folder}/"
    below = Counter(
        folder + name.removeprefix(folder).split("/")[0] + "/"
        for name in (photo.name for photo in fitting)
        if "/" in name.removeprefix(folder)
    )
    assert {one["folder"]: one["photos"] for one in facets["folders"]} == below
    numbers = [one["photos"] for one in facets["folders"]]
    assert numbers == sorted(numbers, reverse=True)
    if (dated := without("after", "before")) is not None:
        dates = (datetime(1970, 1, 1) + timedelta(seconds=photo.date) for photo in dated)
        months = Counter(date.strftime("%Y-%m") for date in dates)
        found = [
            (f"{year['year']}-{month['month']:02}", month["photos"])
            for year in facets["years"]
            for month in year["months"]
        ]
        assert found == sorted(months.items(), reverse=True)
        for year in facets["years"]:
            assert year["photos"] == sum(month["photos"] for month in year["months"])
    if (of_formats := without("format")) is not None:
        formats = Counter(photo.format for photo in of_formats if photo.format)
        assert {one["format"]: one["photos"] for one in facets["formats"]} == formats
    if (turned := without("orientation")) is not None:
        ways = Counter(photo.orientation for photo in turned if photo.orientation)
        assert {one["orientation"]: one["photos"] for one in facets["orientations"]} == ways


def test_facets_with_terms_count_the_best(library, photos, monkeypatch):
    monkeypatch.setattr("clipsearch.index.search.photo_index.BEST", 30)
    best = set(whole(library, q="blue")[:30])
    facets = counted(library, q="blue")
    assert_facets(facets, [p for p in photos if p.name in best], {}, lambda photo: True)
    like = photos[0].name
    assert counted(library, like=like)["photos"] == 29  # of 30 it is one itself
    page = {"limit": 3, "sort": "oldest", "stack": "0", "cursor": next_cursor(library, 1, q="blue")}
    again = counted(library, q="blue", **page)
    facets.pop("timing_ms"), again.pop("timing_ms")
    assert again == facets


def test_facets_follow_the_bucket(empty_gallery, library, photos):
    assert counted(library)["index"]["photos"] == LIBRARY
    empty_gallery.remove(photos[0].name)
    assert counted(library)["photos"] == LIBRARY - 1

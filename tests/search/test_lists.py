"""Lists by date, of all photos or of those that match, and their cursors."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from search.engine.cursor import decode_cursor, encode_cursor
from tests.search.library import (
    answer,
    listed,
    next_cursor,
    pages,
    random_photos,
    seconds,
    whole,
)
from tests.search.test_errors import assert_problem


def test_a_list_has_facts_and_no_scores(library, photos):
    by_name = {photo.name: photo for photo in photos}
    found = answer(library.get("/?limit=100"))
    assert found["matches"] is None
    assert found["total"] == len(photos)
    for result in found["results"]:
        photo, facts = by_name[result["name"]], by_name[result["name"]].facts
        for field in ("score", "similarity", "match", "confidence"):
            assert result[field] is None
        uploaded = datetime(1970, 1, 1) + timedelta(seconds=photo.uploaded)
        assert result["uploaded"] == f"{uploaded.isoformat()}Z"
        assert result["format"] == photo.format
        assert result["bytes"] == (facts and facts.size)
        assert result["also"] == []
        assert result["colour"] == (facts and f"#{facts.colour[0]:02x}0203")
        assert (result["place"] is None) == (facts is None or facts.place is None)
        if result["place"]:
            degrees = result["place"]["latitude"], result["place"]["longitude"]
            assert degrees == pytest.approx(facts.place, abs=1e-4)
        if facts is None or facts.taken is None:
            assert result["taken"] is None
            continue
        taken = datetime.fromisoformat(result["taken"])
        assert seconds(taken.replace(tzinfo=None).isoformat()) == facts.taken
        zone = None if facts.offset is None else timedelta(minutes=facts.offset)
        assert taken.utcoffset() == zone
    scored = answer(library.get("/?q=blue&limit=100"))["results"]
    shared = {result["name"]: result["taken"] for result in found["results"]}
    assert all(shared.get(r["name"], r["taken"]) == r["taken"] for r in scored)
    assert all(result["score"] is not None for result in scored)


@pytest.mark.parametrize("sort", ["newest", "oldest", "relevance"])
def test_a_list_is_in_the_order_of_dates_and_pages_do_not_tear_it(library, photos, sort):
    expected = listed(photos, oldest=sort == "oldest")
    found = list(pages(library, sort=sort, limit=7))
    assert [len(page) for page in found[:-1]] == [7] * (len(found) - 1)
    assert list(itertools.chain(*found)) == expected
    first = answer(library.post("/search", json={"sort": sort, "limit": 50}))
    second = {"sort": sort, "limit": 50, "cursor": first["next_cursor"]}
    found = first["results"] + answer(library.post("/search", json=second))["results"]
    assert [result["name"] for result in found] == expected[:100]


@pytest.mark.parametrize("query", [{}, {"q": "blue", "sort": "newest"}], ids=str)
def test_a_list_is_whole_while_photos_come_and_go(empty_gallery, library, photos, query):
    """Of the photos that stay, each comes once; of the others, none comes twice."""
    removed = {photo.name for photo in photos[::3]}
    found, coming = [], random_photos(60, photos[0].vector, seed=1)
    coming = [photo for photo in coming if photo.name not in {p.name for p in photos}]
    going = sorted(removed)
    for page in pages(library, limit=9, **query):
        found += page
        if going:
            empty_gallery.remove(going.pop())
            empty_gallery._write([photo.entry() for photo in coming[:3]])
            del coming[:3]
    assert len(found) == len(set(found))
    assert {photo.name for photo in photos} - removed <= set(found)


@pytest.mark.parametrize("terms", [{"q": "blue"}, {"q": ["blue", "red"]}], ids=str)
def test_where_matches_are_unknown_the_best_are_in_the_order_of_dates(
    library, photos, terms, monkeypatch
):
    monkeypatch.setattr("clipsearch.index.search.photo_index.BEST", 30)
    by_name = {photo.name: photo for photo in photos}
    for filters, fits in (
        ({}, lambda photo: True),
        ({"orientation": "landscape"}, lambda photo: photo.orientation == "landscape"),
    ):
        best = [name for name in whole(library, **terms) if fits(by_name[name])][:30]
        expected = listed(by_name[name] for name in best)
        paged = pages(library, sort="newest", limit=4, **terms, **filters)
        assert list(itertools.chain(*paged)) == expected
        expected = listed((by_name[name] for name in best), oldest=True)
        assert whole(library, sort="oldest", **terms, **filters) == expected


def test_photos_of_like_are_in_no_list_by_date(library, photos):
    like = photos[0].name
    found = whole(library, like=like, sort="newest")
    assert found == [name for name in listed(photos) if name != like]


SETTINGS: list[dict[str, Any]] = [
    {},
    {"folder": "2023/"},
    {"after": "2023"},
    {"after": "2023-01-01T00:00Z"},
    {"sort": "oldest"},
    {"sort": "oldest", "folder": "2023/"},
    {"stack": "0"},
    {"format": ["jpeg", "png"]},
    {"min_megapixels": "0.1"},
    {"near": "42,13,1000"},
]


@pytest.mark.parametrize("terms", [{}, {"q": "blue"}], ids=str)
def test_a_cursor_belongs_to_its_filters_order_and_stacks(library, terms):
    cursors = [next_cursor(library, limit=1, **terms, **setting) for setting in SETTINGS]
    assert None not in cursors
    for (i, setting), (j, cursor) in itertools.product(enumerate(SETTINGS), enumerate(cursors)):
        response = library.get("/", params={**terms, **setting, "cursor": cursor})
        if i == j:
            assert response.status_code == 200
        else:
            said = "cursor belongs to another query, filter or order"
            assert_problem(response, 400, said)


def test_one_filter_in_other_words_has_the_same_cursor(library):
    cursor = next_cursor(library, limit=1, folder="2023", after="2023", format=["png", "jpeg"])
    same = {"folder": "2023/", "after": "2023-01-01", "format": ["jpeg", "png"], "sort": "newest"}
    assert library.get("/", params={**same, "cursor": cursor}).status_code == 200


def test_a_date_beyond_all_dates_in_a_cursor_is_no_error(library):
    cursor = decode_cursor(next_cursor(library, limit=1))
    for date in (1e300, -1e300):
        forged = encode_cursor(replace(cursor, score=date))
        assert library.get("/", params={"cursor": forged}).status_code == 200

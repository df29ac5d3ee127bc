"""Where rows in the bucket limit a search, its answers say which numbers are lower bounds."""

from dataclasses import replace

import pytest

from clipsearch.index.format.entries import Kind
from clipsearch.index.format.facts import Facts
from clipsearch.index.search import candidates
from model_export.demo import BUNDLE
from tests.search.conftest import Gallery
from tests.search.library import answer
from tests.search.test_matches import NO_CARS, RED_CARS, photo
from tests.search.test_page import BROWSER, Page
from tests.search.test_rows_in_bucket import publish_packed

COPIES = 20  # of each red car
CARS = COPIES * len(RED_CARS)
MOST = 30
LEAST = {"count": MOST, "estimated": True, "at_least": True}
CAR = {"q": "a red car", "stack": "0"}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """CARS red cars in the folder cars/, two of them of 2022, and others; all in a pack."""
    gallery = Gallery(tmp_path_factory.mktemp("limited"), BUNDLE)
    gallery.publish()
    scenes = (*RED_CARS, *NO_CARS)
    decoded = [gallery.encoder.decode(photo(scene, i)) for i, scene in enumerate(scenes)]
    vectors = gallery.encoder.encode_image([one.square for one in decoded])
    known = {"width": 128, "height": 128, "facts": Facts(taken=1_690_000_000, format="JPEG")}
    entries = []
    for i, vector in enumerate(vectors):
        for copy in range(COPIES if i < len(RED_CARS) else 1):
            name = f"{'cars' if i < len(RED_CARS) else 'others'}/{i} {copy}.jpg"
            entries.append(gallery._entry(name, Kind.VECTOR, vector=vector, **known))
    for n in (0, 1):
        entries[n] = replace(entries[n], facts=Facts(taken=1_650_000_000, format="JPEG"))
    publish_packed(gallery, 1, entries)
    return gallery


@pytest.fixture
def client(gallery, client_of, monkeypatch):
    monkeypatch.setattr(candidates, "MOST_IN_BUCKET", MOST)
    return client_of(gallery, CLIPSEARCH_ROWS="bucket")


def asked(client, **query):
    return answer(client.get("/", params={**CAR, **query}))


def pages(client, **query):
    found = asked(client, **query)
    while found["next_cursor"]:
        yield found
        found = asked(client, **query, cursor=found["next_cursor"])
    yield found


@pytest.mark.parametrize(
    "query", [{}, {"sort": "newest"}, {"min_match": "good"}, {"not": "a boat"}]
)
def test_the_last_page_of_a_limited_search_is_incomplete(client, query):
    found = list(pages(client, **query, limit=20))
    assert [len(page["results"]) for page in found] == [20, 10]
    assert [page.get("incomplete") for page in found] == [None, True]
    assert found[-1]["index"]["most_compared"] == MOST


@pytest.mark.parametrize(
    "query",
    [
        {"before": "2023"},  # fewer fit than are compared
        {"before": "2023", "sort": "newest"},
        {"q": "a blue cat", "min_match": "good"},
        {"q": "a blue cat", "sort": "newest"},
    ],
)
def test_the_last_page_is_complete_where_all_that_may_fit_were_compared(client, query):
    *_, last = pages(client, **query, limit=100)
    assert len(last["results"]) < MOST
    assert "incomplete" not in last


def test_a_list_is_never_limited(client):
    last = answer(client.get("/", params={"stack": "0", "limit": "100", "folder": "cars"}))
    assert len(last["results"]) == last["total"] == CARS
    assert "incomplete" not in last


def test_with_rows_in_memory_nothing_is_limited(gallery, client_of, monkeypatch):
    monkeypatch.setattr(candidates, "MOST_IN_BUCKET", MOST)
    client = client_of(gallery, CLIPSEARCH_ROWS="memory")
    found = list(pages(client, limit=60))
    assert sum(len(page["results"]) for page in found) == CARS + len(NO_CARS)
    assert all("incomplete" not in page for page in found)
    found = asked(client, sort="newest")
    assert found["matches"] == {"count": CARS, "estimated": False}


def test_the_number_of_matches_is_a_lower_bound_where_more_may_match(client, monkeypatch):
    assert asked(client, sort="newest")["matches"] == LEAST
    assert asked(client, sort="newest", before="2023")["matches"] == {
        "count": 2,
        "estimated": False,
    }
    monkeypatch.setattr("search.engine.matches.COUNTED", 20)
    assert asked(client, folder="cars", limit=5)["matches"] == LEAST


def test_facets_are_lower_bounds_where_more_may_match(client):
    facets = answer(client.get("/facets", params={"q": "a red car"}))
    assert facets["estimated"] is True
    assert facets["photos"] == MOST
    assert "estimated" not in answer(client.get("/facets"))


def test_the_page_without_javascript_says_so(client):
    def page(cursor=None):
        query = {**CAR, "sort": "newest", **({"cursor": cursor} if cursor else {})}
        return Page(client.get("/", params=query, headers=BROWSER))

    end = f"The list ends here: a search compares at most {MOST} photos."
    first, last = page(), page(asked(client, sort="newest")["next_cursor"])
    assert f"At least {MOST} good matches for “a red car”, newest first." in first.text
    assert end not in first.text
    assert end in last.text

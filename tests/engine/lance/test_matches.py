"""Good matches in a library with more of them than a search of the mirror finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.main import main
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.facts import Facts
from model_export.demo import BUNDLE
from tests.search.conftest import Gallery
from tests.search.library import answer
from tests.search.test_matches import NO_CARS, RED_CARS, photo

COPIES, MOST = 20, 30
CARS = COPIES * len(RED_CARS)


@pytest.fixture
def client(tmp_path, client_of, monkeypatch):
    """CARS red cars in cars/, two of them of 2022, and others; two more are not in the mirror."""
    monkeypatch.setattr("clipsearch.engine.union.COMPARED", MOST)
    monkeypatch.setattr("clipsearch.engine.lance_version.ALL_COMPARED", MOST)
    gallery = Gallery(tmp_path, BUNDLE)
    gallery.publish()
    scenes = (*RED_CARS, *NO_CARS)
    decoded = [gallery.encoder.decode(photo(scene, i)) for i, scene in enumerate(scenes)]
    vectors = gallery.encoder.encode_image([one.square for one in decoded])
    entries = []
    for i, vector in enumerate(vectors):
        is_car = i < len(RED_CARS)
        for copy in range(COPIES if is_car else 1):
            facts = Facts(taken=1_650_000_000 if is_car and copy == i == 0 else 1_690_000_000)
            name = f"{'cars' if is_car else 'others'}/{i} {copy}.jpg"
            entry = gallery._entry(name, Kind.VECTOR, vector=vector, width=128, height=128)
            entries.append(replace(entry, facts=facts))
    gallery._write(entries)
    assert main(["mirror", "--index", gallery.environment["CLIPSEARCH_INDEX"]]) == 0
    gallery._write([gallery._entry("new.jpg", Kind.VECTOR, vector=vectors[0], width=9, height=9)])
    return client_of(gallery, CLIPSEARCH_ENGINE="lance")


def asked(client, **query):
    return answer(client.get("/", params={"q": "a red car", "stack": "0", **query}))


def test_numbers_say_where_more_photos_may_match(client):
    found = asked(client, limit=100)
    assert found["index"]["most_compared"] == MOST
    assert found["matches"]["estimated"]
    assert len(found["results"]) == MOST + 1
    assert {result["match"] for result in found["results"]} == {"good"}
    assert found["incomplete"]
    assert asked(client, folder="cars/", limit=100)["matches"] == {
        "count": MOST,
        "estimated": True,
        "at_least": True,
    }
    by_date = asked(client, sort="newest", limit=100)
    assert by_date["incomplete"]
    assert by_date["matches"] == {"count": MOST + 1, "estimated": True, "at_least": True}


def test_numbers_are_exact_where_all_are_compared(client):
    found = asked(client, before="2023")
    assert found["matches"] == {"count": 1, "estimated": False}
    assert [result["name"] for result in found["results"]] == ["cars/0 0.jpg"]
    assert "incomplete" not in found
    others = asked(client, folder="others/")
    assert others["matches"] == {"count": 0, "estimated": False}
    assert asked(client, folder="others/", min_match="good")["results"] == []

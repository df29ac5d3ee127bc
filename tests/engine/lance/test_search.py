"""The search function with CLIPSEARCH_ENGINE=lance answers like one that holds all in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cli.main import main
from clipsearch.engine.state import newest_state, tables_prefix
from tests.search.conftest import Gallery
from tests.search.library import answer, listed, names, pages, random_photos
from tests.support.function_server import running_function

PHOTOS = 200
QUERIES: list[dict[str, Any]] = [
    {"q": "blue"},
    {"q": "blue", "stack": "0", "limit": "100"},
    {"q": ["blue", "red"], "not": "white", "stack": "0"},
    {"like": "first.jpg"},
    {"q": "blue", "unlike": "second.jpg"},
    {"q": "red", "folder": "2023/"},
    {"q": "red", "orientation": "portrait", "min_megapixels": "1"},
    {"q": "red", "format": ["jpeg", "png"]},
    {"q": "blue", "after": "2023-06-30", "before": "2024"},
    {"q": "blue", "after": "2023-06-30T00:00Z"},
    {"q": "blue", "sort": "newest"},
    {},
    {"sort": "oldest", "limit": "100", "stack": "0"},
    {"folder": "2023/", "orientation": "landscape"},
    {"photo": "first.jpg"},
]


@pytest.fixture
def mirrored(tmp_path, tiny_bundle) -> Any:
    """PHOTOS in the mirror; newer ones, an overwrite and a deletion are not."""
    gallery: Any = Gallery(tmp_path, tiny_bundle)
    gallery.publish()
    center = gallery.encoder.encode_text(["blue"]).vectors[0]
    photos = random_photos(PHOTOS, center)
    gallery._write([photo.entry() for photo in photos])
    gallery.add(first="blue", second="red", third="white", gone="blue")
    gallery.fail(broken="no JPEG")
    mirror(gallery)
    gallery.add(second="blue", newer="blue", fourth="white")
    gallery.remove("gone.jpg")
    gallery.remove(photos[0].name)
    gallery.known = photos
    return gallery


def mirror(gallery) -> None:
    assert main(["mirror", "--index", gallery.environment["CLIPSEARCH_INDEX"]]) == 0


def answers(client):
    result = []
    for query in QUERIES:
        parts = answer(client.get("/", params=query))
        del parts["timing_ms"]
        result.append(parts)
    return json.loads(json.dumps(result))


def photos_of(parts):
    """Its photos by name, near-duplicates too, and the score of each."""
    found: dict[str, dict] = {}
    scores: dict[str, float | None] = {}
    for result in parts["results"]:
        for one in (result, *result["also"]):
            scores[one["name"]] = one["score"]
            left_out = ("score", "similarity", "match", "confidence", "also")
            found[one["name"]] = {k: v for k, v in one.items() if k not in left_out}
    return found, scores


def test_it_answers_as_from_memory(mirrored, client_of):
    """Vectors are float16: scores differ a little, and so which photos are the last of a page."""
    memory = answers(client_of(mirrored))
    engine = answers(client_of(mirrored, CLIPSEARCH_ENGINE="lance"))
    for query, expected, found in zip(QUERIES, memory, engine, strict=True):
        assert found["total"] == expected["total"], query
        assert found["index"] == expected["index"], query
        (ours, scores), (theirs, exact) = photos_of(found), photos_of(expected)
        both = ours.keys() & theirs.keys()
        is_of_another_sample = bool({"not", "unlike"} & query.keys())
        assert len(both) >= (0.7 if is_of_another_sample else 0.9) * len(theirs), query
        assert {name: ours[name] for name in both} == {name: theirs[name] for name in both}
        for name in both if not is_of_another_sample else ():
            if exact[name] is not None:
                assert scores[name] == pytest.approx(exact[name], abs=0.05), query
            else:
                assert scores[name] is None


def test_pages_have_each_photo_once(mirrored, client_of):
    client = client_of(mirrored, CLIPSEARCH_ENGINE="lance")
    everything = answer(client.get("/", params={"stack": "0"}))["total"]
    for query in ({"q": "blue", "stack": "0"}, {"stack": "0"}, {"sort": "oldest", "stack": "0"}):
        found = [name for page in pages(client, limit=30, **query) for name in page]
        assert len(found) == len({*found}) == everything, query


@pytest.mark.parametrize("query", [{"q": "blue"}, {}], ids=["by relevance", "by date"])
def test_pages_have_each_photo_once_though_the_mirror_takes_in_newer_ones(
    mirrored, client_of, monkeypatch, query
):
    """A photo has another score in the table than in a segment, because it is rounded there."""
    monkeypatch.setattr("clipsearch.engine.mirror_reader.LOOK_EVERY", timedelta())
    monkeypatch.setattr("clipsearch.engine.mirror_reader.WORTH_A_NEW_TABLE", 1)
    reread = [photo.entry() for photo in mirrored.known[1:60]]
    mirrored._write([replace(one, generation=one.generation + 1) for one in reread])
    clients = [client_of(mirrored, CLIPSEARCH_ENGINE="lance") for _ in range(2)]
    known = {n for page in pages(clients[0], limit=100, stack="0", **query) for n in page}
    reads = pages(clients[1], limit=7, stack="0", **query)
    found = [name for _ in range(4) for name in next(reads)]
    mirror(mirrored)
    found += [name for page in reads for name in page]
    assert len(found) == len({*found}) == PHOTOS + 4
    assert {*found} == known


def test_a_list_by_date_is_in_order(mirrored, client_of):
    client = client_of(mirrored, CLIPSEARCH_ENGINE="lance")
    names = [n for page in pages(client, limit=50, stack="0", sort="oldest") for n in page]
    right = listed(mirrored.known[1:], oldest=True)
    assert [name for name in names if name in {*right}] == right


def test_a_photo_is_found_and_gone_at_once_and_after_the_next_mirror(mirrored, client_of):
    client = client_of(mirrored, CLIPSEARCH_ENGINE="lance")

    def found():
        return {n for page in pages(client, limit=100, q="white", stack="0") for n in page}

    before = found()
    assert "gone.jpg" not in before
    mirrored.add(late="white")
    mirrored.remove("newer.jpg")
    assert found() == before - {"newer.jpg"} | {"late.jpg"}
    mirror(mirrored)
    assert found() == before - {"newer.jpg"} | {"late.jpg"}
    assert client_of(mirrored, CLIPSEARCH_ENGINE="lance").get("/", params={"like": "late.jpg"})


def test_a_late_deletion_of_an_old_generation_hides_nothing(mirrored, client_of):
    from clipsearch.index.format.entries import Entry, Kind

    client = client_of(mirrored, CLIPSEARCH_ENGINE="lance")
    name = mirrored.known[1].name
    mirrored._write([Entry(name, 1, Kind.TOMBSTONE, time_us=1)])
    assert names(client.get("/", params={"photo": name})) == [name]
    assert client.get("/", params={"like": name}).status_code == 200


def test_what_needs_all_photos_is_refused(mirrored, client_of):
    client = client_of(mirrored, CLIPSEARCH_ENGINE="lance")
    for path, query, said in [
        ("/facets", {}, "counts no facets"),
        ("/facets", {"q": "blue"}, "counts no facets"),
        ("/", {"q": "blue", "name": "a"}, "cannot filter by name"),
        ("/", {"near": "1,2,3"}, "cannot filter by near"),
    ]:
        response = client.get(path, params=query)
        assert response.status_code == 400
        assert said in response.json()["detail"]


def test_a_deleted_photo_is_not_like_anything(mirrored, client_of):
    client = client_of(mirrored, CLIPSEARCH_ENGINE="lance")
    for name in ("gone.jpg", mirrored.known[0].name, "broken.jpg", "nothing.jpg"):
        assert client.get("/", params={"like": name}).status_code == 404


def test_the_status_counts_photos_and_lists_failures_of_both(mirrored, client_of):
    mirrored.fail(newest="no PNG")
    memory = client_of(mirrored).get("/status").json()
    status = client_of(mirrored, CLIPSEARCH_ENGINE="lance").get("/status").json()
    assert status["photos"] == memory["photos"]
    assert status["failures"] == memory["failures"]


def test_without_a_mirror_all_segments_are_read(tmp_path, tiny_bundle, client_of):
    gallery = Gallery(tmp_path, tiny_bundle)
    gallery.publish()
    gallery.add(red="red", blue="blue")
    client = client_of(gallery, CLIPSEARCH_ENGINE="lance")
    assert answer(client.get("/", params={"q": "red"}))["index"]["photos"] == 2


def test_a_deleted_table_costs_no_answer(mirrored, client_of):
    """As after a sleep: a mirror has begun another table, and deleted this one."""
    client = client_of(mirrored, at_once=False, CLIPSEARCH_ENGINE="lance")
    assert len(names(client.get("/", params={"q": "red", "stack": "0"}))) > 0
    replace_table(mirrored)
    right = client_of(mirrored).get("/", params={"q": "white", "stack": "0"})
    assert names(client.get("/", params={"q": "white", "stack": "0"}))[:3] == names(right)[:3]


def test_a_deleted_table_costs_no_status(mirrored, client_of):
    client = client_of(mirrored, at_once=False, CLIPSEARCH_ENGINE="lance")
    right = client.get("/status").json()
    assert right["failures"] != []
    replace_table(mirrored)
    status = client.get("/status").json()
    assert (status["photos"], status["failures"]) == (right["photos"], right["failures"])


def replace_table(gallery) -> None:
    first = newest_state(gallery.index, gallery.space)
    for stat in gallery.index.list(f"{gallery.space}/mirror/"):
        gallery.index.delete(stat.name)
    mirror(gallery)
    for stat in list(gallery.index.list(tables_prefix(gallery.space))):
        if first.table in stat.name:
            gallery.index.delete(stat.name)


def test_a_mirror_that_is_too_old_is_not_used(mirrored, client_of, monkeypatch):
    monkeypatch.setattr("clipsearch.engine.state.USABLE_FOR", timedelta(seconds=-1))
    response = client_of(mirrored, CLIPSEARCH_ENGINE="lance").get("/", params={"q": "red"})
    assert response.status_code == 503


def test_the_function_of_the_cloud_asks_the_mirror(mirrored, tmp_path):
    import httpx

    settings = {**mirrored.environment, "CLIPSEARCH_ENGINE": "lance"}
    with running_function("search", settings, tmp_path / "log") as url:
        response = httpx.get(f"{url}/?q=red", timeout=60)
        assert answer(response)["index"]["photos"] == PHOTOS + 4
        assert "second.jpg" in names(httpx.get(f"{url}/?photo=second.jpg", timeout=60))

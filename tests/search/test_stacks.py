"""Near-duplicates come as one result: over all pages, filters and orders, and off with stack=0."""

import random
from dataclasses import replace

import numpy as np
import pytest

from clipsearch.index.search.stacks import stacked
from tests.search.library import answer, random_photos, whole
from tests.search.test_two_instances import instances  # noqa: F401

CAP = 60
QUERIES = [
    {"q": "blue"},
    {"q": ["blue", "red"], "not": "white"},
    {"sort": "newest"},
    {"sort": "oldest", "orientation": "landscape"},
    {"q": "blue", "sort": "newest"},
    {"q": "blue", "folder": "2023/"},
    {"like": "LIKE"},
]


@pytest.fixture
def photos(empty_gallery):
    """Photos with near-duplicates; some lack facts, and some of those are copies."""
    empty_gallery.publish()
    center = empty_gallery.encoder.encode_text(["blue"]).vectors[0]
    photos, chance = random_photos(90, center, seed=3), random.Random(1)
    noise = np.random.default_rng(1)
    for number in range(60):
        one = chance.choice(photos)
        facts = one.facts and replace(one.facts, hash=one.facts.hash ^ 2 ** chance.randrange(64))
        aside = 0.03 * noise.standard_normal(len(center)) * (facts is not None)
        vector = one.vector + aside / np.sqrt(len(center))
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        photos.append(replace(one, name=f"{one.name} {number}", facts=facts, vector=vector))
    empty_gallery._write([photo.entry() for photo in photos])
    return photos


@pytest.fixture
def small_window(library, monkeypatch):
    monkeypatch.setattr("search.engine.stacking.CAP", CAP)


def expected(photos, names):
    """The results in a list of `names`, of which the first CAP are compared."""
    by_name = {photo.name: photo for photo in photos}
    compared = [by_name[name] for name in names[:CAP]]
    leaders = stacked(
        np.array([photo.vector for photo in compared]).__getitem__,
        np.array([photo.facts.hash if photo.facts else 0 for photo in compared], np.uint64),
        np.array([photo.facts is not None for photo in compared]),
    )
    also = {names[rank]: [] for rank in np.flatnonzero(leaders == np.arange(len(compared)))}
    for rank, leader in enumerate(leaders):
        if rank != leader:
            also[names[leader]].append(names[rank])
    return [*also.items(), *((name, []) for name in names[CAP:])]


def names_of(photos):
    return [photo["name"] for photo in photos]


def results(client, **query):
    """The name and `also` of each result of all pages."""
    page = {}
    while True:
        found = answer(client.get("/", params={**query, **page}))
        yield from ((result["name"], names_of(result["also"])) for result in found["results"])
        if found["next_cursor"] is None:
            return
        assert len(found["results"]) == query["limit"]
        page = {"cursor": found["next_cursor"]}


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_each_photo_is_once_a_result_or_in_the_also_of_one(library, photos, small_window, query):
    if "like" in query:
        query = {"like": photos[0].name}
    names = whole(library, stack=0, **query)
    wanted = expected(photos, names)
    assert len(names) > len(wanted) > 3
    for limit in (1, 4, 25, 100):
        assert list(results(library, limit=limit, **query)) == wanted


def test_a_near_duplicate_has_the_fields_of_a_result(library, photos):
    for query in ({"q": "blue"}, {"sort": "newest"}):
        alone = {
            r["name"]: r
            for r in answer(library.get("/", params={**query, "stack": 0, "limit": 100}))["results"]
        }
        found = answer(library.get("/", params={**query, "limit": 100}))["results"]
        also = [photo for result in found for photo in result["also"] if photo["name"] in alone]
        assert len(also) > 3
        assert all(photo == alone[photo["name"]] for photo in also)


def test_without_stacks_each_photo_is_a_result(library, photos):
    found = list(results(library, limit=7, q="blue", stack=0))
    assert sorted(name for name, _ in found) == sorted(photo.name for photo in photos)
    assert {tuple(also) for _, also in found} == {()}


def test_photos_may_come_and_go_between_pages(library, photos, empty_gallery, small_window):
    chance, cursor, seen = random.Random(2), {}, []
    there = {photo.name for photo in photos}
    for _ in range(40):
        found = answer(library.get("/", params={"q": "blue", "limit": 6, **cursor}))
        seen += [result["name"] for result in found["results"]]
        for result in found["results"]:
            assert {result["name"], *names_of(result["also"])} <= there
        if found["next_cursor"] is None:
            break
        cursor = {"cursor": found["next_cursor"]}
        for photo in chance.sample(photos, 3):
            if photo.name in there:
                empty_gallery.remove(photo.name)
                there.remove(photo.name)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("limit", [3, 50])
def test_stacks_of_two_instances_neither_repeat_nor_lose_a_photo(instances, limit):  # noqa: F811
    """The photos lack hashes; 100 copies of each of four, in float32 and in float16."""
    clients = instances(0.05, copies=100)
    found, page = [], {}
    for turn in range(20):
        client = clients[turn % 2]
        params = {"q": "blue", "limit": limit, **page}
        answered = answer(client.get("/", params=params))
        found += [name for r in answered["results"] for name in names_of([r, *r["also"]])]
        if answered["next_cursor"] is None:
            break
        page = {"cursor": answered["next_cursor"]}
    assert len(found) == len(set(found)) == 400

"""Reconciling on Cloud Storage: long listings in pages, faults, and what it costs."""

import json
from dataclasses import replace

import pytest

from clipsearch.index.format.entries import Kind
from clipsearch.index.format.facts import Facts
from clipsearch.index.format.segments import write_segment
from clipsearch.storage import gcs
from tests.index.making import failure, photo, random_units, tombstone
from tests.support.gcs_double import LOST
from tests.support.pictures import jpeg
from tests.support.pubsub_double import PubSubDouble
from tests.support.tiny_bundle import DIM


@pytest.fixture
def cloud(cloud_on_gcs):
    return cloud_on_gcs


def test_five_thousand_photos_are_compared_in_pages(cloud, storage):
    vectors = random_units(5000, DIM)
    entries = []
    for number in range(5000):
        name = f"{number:04}/größe.jpg"
        stored = storage.put("my-photos", f"mine/{name}", b"not read")
        known = photo(name, stored.generation, vectors[number])
        entries.append(replace(known, facts=Facts(format="JPEG")))
    # One of each kind, at the borders of the pages and in the middle
    for number in (0, 999, 4999):
        name = f"{number:04}/größe.jpg"
        stored = storage.put("my-photos", f"mine/{name}", jpeg())  # outdated
    entries[1000] = failure("1000/größe.jpg", entries[1000].generation)
    entries[1001] = tombstone("1001/größe.jpg", entries[1001].generation - 1)
    del entries[2500]
    for name in ("", "4999/z.jpg", "~.jpg", "0000/a.jpg"):
        entries.append(photo(name or "2500.jpg", 7, vectors[0]))  # orphans
    for begin in range(0, len(entries), 1000):
        write_segment(cloud.index, cloud.space, entries[begin : begin + 1000])
    for beside in ("mine", "mine/", "mine/9999/", "mines/a.jpg", "other.jpg"):
        storage.put("my-photos", beside, b"not ours")

    before = len(storage.requests)
    assert cloud.reconcile() == 200
    reads = [path for method, path in storage.requests[before:] if "/b/my-photos/" in path]
    pages = [path for path in reads if "/o?" in path]
    assert len(pages) == 6
    # a failure, three outdated, two missing: each is read, and looked at again if it is a photo
    assert len(reads) - len(pages) <= 2 * 6
    known, found = cloud.known(), cloud.in_bucket()
    found = {name: generation for name, generation in found.items() if name[-1:] not in ("", "/")}
    assert known == found
    kinds = [kind for kind, _ in cloud.state().values()]
    assert (kinds.count(Kind.VECTOR), kinds.count(Kind.FAILURE)) == (4997, 3)
    assert cloud.counts() == (5000, 4997, 3, 0)


def test_parts_of_a_listing_remove_nothing_of_other_parts(cloud, storage, monkeypatch):
    """In the cloud nobody looks twice whether what was not listed is really gone."""
    pubsub = PubSubDouble("projects/p/topics/maintenance")
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
    monkeypatch.setenv("CLIPSEARCH_TOPIC", "projects/p/topics/maintenance")
    vectors, entries = random_units(30, DIM), []
    for number in range(30):
        name = f"{'ü' if number % 3 else ''}{number:02}.jpg"
        if number % 5:
            stored = storage.put("my-photos", f"mine/{name}", b"not read")
        entries.append(photo(name, stored.generation if number % 5 else 1, vectors[number]))
    write_segment(cloud.index, cloud.space, entries)
    assert cloud.client
    import ingest.maintenance
    import ingest.reconcile.run

    monkeypatch.setattr(ingest.maintenance, "SPREAD_S", -1.0)
    monkeypatch.setattr(ingest.reconcile.run, "LISTED_AT_ONCE", 4)
    assert cloud.reconcile() == 200
    removed, parts = [], 0
    while messages := pubsub.take():
        for message in messages:
            document = json.loads(message)
            removed += document.get("photos", [])
            parts += "part" in document
            assert cloud.tell(message) == 200
    assert parts == 6
    assert sorted(name for name, _ in removed) == sorted(
        f"{'ü' if number % 3 else ''}{number:02}.jpg" for number in range(0, 30, 5)
    )
    assert cloud.known() == cloud.in_bucket()
    assert cloud.counts() == (24, 24, 0, 0)
    cloud.services.topic.close()
    pubsub.close()


def test_faults_in_passing_change_nothing(cloud, storage, monkeypatch):
    monkeypatch.setattr(gcs, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(gcs, "LONGEST_WAIT_S", 0.01)
    for number in range(20):
        storage.put("my-photos", f"mine/{number:02}.jpg", jpeg())
    storage.page_size = 3
    storage.faults += [503, LOST, 429, LOST, 500, 503, LOST]
    assert cloud.reconcile() == 200
    assert cloud.known() == cloud.in_bucket()
    assert cloud.counts() == (20, 20, 0, 0)


def test_a_bucket_that_is_not_there_is_trouble_and_no_deletion(cloud, storage, monkeypatch):
    storage.put("my-photos", "mine/a.jpg", jpeg())
    assert cloud.reconcile() == 200
    with storage.without("my-photos"):
        assert cloud.reconcile() == 500
        assert list(cloud.known()) == ["a.jpg"]


def test_what_a_damaged_segment_held_is_indexed_again(cloud, storage):
    storage.put("my-photos", "mine/first.jpg", jpeg())
    assert cloud.reconcile() == 200
    first = {segment.name for segment in cloud.segments()}
    for number in range(5):
        storage.put("my-photos", f"mine/{number}.jpg", jpeg())
    assert cloud.reconcile() == 200
    [segment] = [segment for segment in cloud.segments() if segment.name not in first]
    data = cloud.index.read(segment.name)
    storage.put("my-index", segment.name, data[: len(data) // 2])
    assert cloud.counts() == (6, 1, 0, 5)
    assert [damaged["object"] for damaged in cloud.status()["damaged"]] == [segment.name]

    assert cloud.reconcile() == 200
    assert cloud.photos_found() == cloud.in_bucket()
    status = cloud.status()
    assert ([*status["photos"].values()], status["damaged"]) == ([6, 6, 0, 0, 0], [])


def test_an_index_of_nothing_but_damage_is_made_again(cloud, storage):
    for number in range(3):
        storage.put("my-photos", f"mine/{number}.jpg", jpeg())
    assert cloud.reconcile() == 200
    for segment in cloud.segments():
        storage.put("my-index", segment.name, b"damaged")
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == cloud.in_bucket()
    assert cloud.counts() == (3, 3, 0, 0)


def test_a_damaged_record_is_shown_and_the_next_one_counts(cloud, storage):
    storage.put("my-photos", "mine/a.jpg", jpeg())
    assert cloud.reconcile() == 200
    [record] = cloud.index.list(f"{cloud.space}/reconciles/")
    storage.put("my-index", record.name, b"damaged")
    status = cloud.status()
    assert [*status["photos"].values()] == [None, 1, 0, 0, None]
    assert [damaged["object"] for damaged in status["damaged"]] == [record.name]
    assert cloud.reconcile() == 200
    status = cloud.status()
    assert ([*status["photos"].values()], status["damaged"]) == ([1, 1, 0, 0, 0], [])

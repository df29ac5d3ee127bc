"""The table of Lance in Cloud Storage, through a double of the XML API."""

from __future__ import annotations

import threading
from datetime import timedelta

import numpy as np
import pytest

from clipsearch.engine.lance_table import LanceTable
from clipsearch.engine.mirror import mirror
from clipsearch.engine.mirror_reader import MirrorReader
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.segments import write_segment
from clipsearch.index.search.filter import ALL
from clipsearch.index.search.small_index import index_of
from tests.index.making import SPACE, photo, random_units, tombstone
from tests.support.gcs_xml_double import xml_storage
from tests.support.memory import MemoryBucket

DIM = 16
URL = "gs://index/prefix/0123456789ab/tables/a.lance"


@pytest.fixture
def storage(monkeypatch, tmp_path):
    with xml_storage(monkeypatch, tmp_path) as double:
        yield double


def test_a_table_is_made_changed_indexed_and_searched(storage):
    vectors = random_units(400, DIM)
    table = LanceTable(URL, DIM, vectors[0], 300)
    table.make()
    table.apply(Entries.from_entries([photo(f"{i}", 1, v) for i, v in enumerate(vectors)]))
    table.improve()
    LanceTable(URL, DIM, None).apply(Entries.from_entries([tombstone("7", 1)]))
    found = LanceTable(URL, DIM, None).opened().best(vectors[9], 3, ALL)
    assert index_of(found.entries).search(vectors[9], 1)[0].name == "9"
    assert table.count() == 399
    assert all(path.startswith("/index/prefix/0123456789ab/tables/") for path in storage.objects)
    versions = {path for path in storage.objects if path.endswith(".manifest")}
    assert versions
    assert versions <= storage.created  # so no writer replaces the version of another


def test_writers_at_once_leave_each_photo_once(storage):
    LanceTable(URL, DIM, None).make()
    LanceTable(URL, DIM, None).apply(Entries.from_entries([tombstone("first")]))
    failed: list[Exception] = []

    def write(seed: int) -> None:
        chance = np.random.default_rng(seed)
        try:
            for _ in range(4):
                generations = chance.integers(1, 1000, 50).tolist()
                entries = [
                    photo(f"{i}", g, random_units(1, DIM)[0]) for i, g in enumerate(generations)
                ]
                LanceTable(URL, DIM, None).apply(Entries.from_entries(entries))
        except Exception as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failed
    assert LanceTable(URL, DIM, None).count() == 50


def test_a_search_follows_a_mirror_and_its_next_table(storage, monkeypatch):
    """Also when the table is deleted under it, as after a long sleep."""
    monkeypatch.setattr("clipsearch.engine.mirror_reader.LOOK_EVERY", timedelta())
    monkeypatch.setattr("clipsearch.engine.mirror_reader.WORTH_A_NEW_TABLE", 2)
    bucket, vectors = MemoryBucket(), random_units(40, DIM)

    def opened(name: str) -> LanceTable:
        return LanceTable(f"gs://index/prefix/{SPACE}/tables/{name}.lance", DIM, vectors[0], 20)

    def mirrored() -> None:
        bucket.later(timedelta(minutes=1))
        mirror(bucket, SPACE, DIM, opened, lambda: bucket.now, lambda done, known: None)

    def found() -> set[str]:
        union = reader.refresh()[1]
        return {hit.name for hit in union.search(vectors[3], 100)}

    write_segment(bucket, SPACE, [photo(f"{i}", 1, v) for i, v in enumerate(vectors[:30])])
    mirrored()
    reader = MirrorReader(bucket, SPACE, DIM, opened, lambda: bucket.now)
    assert found() == {f"{i}" for i in range(30)}
    write_segment(bucket, SPACE, [photo(f"{i}", 1, vectors[i]) for i in range(30, 40)])
    write_segment(bucket, SPACE, [tombstone("3", 1)])
    right = {f"{i}" for i in range(40)} - {"3"}
    assert found() == right
    mirrored()
    assert found() == right
    for path in [path for path in storage.objects if f"/{SPACE}/tables/" in path]:
        del storage.objects[path]
    for name in bucket.names(f"{SPACE}/mirror/"):
        bucket.delete(name)
    mirrored()
    write_segment(bucket, SPACE, [photo("4", 2, vectors[4])])
    assert found() == right

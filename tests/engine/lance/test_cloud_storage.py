"""The table of Lance in Cloud Storage, through a double of the XML API."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from clipsearch.engine.lance_table import LanceTable
from clipsearch.index.format.entries import Entries
from tests.index.making import photo, random_units, tombstone
from tests.support.gcs_xml_double import xml_storage

DIM = 16
URL = "gs://index/prefix/0123456789ab/tables/a.lance"


@pytest.fixture
def storage(monkeypatch, tmp_path):
    with xml_storage(monkeypatch, tmp_path) as double:
        yield double


def test_a_table_is_made_changed_indexed_and_searched(storage):
    vectors = random_units(400, DIM)
    table = LanceTable(URL, DIM, vectors[0], 300)
    table.apply(Entries.from_entries([photo(f"{i}", 1, v) for i, v in enumerate(vectors)]))
    table.improve()
    LanceTable(URL, DIM, None).apply(Entries.from_entries([tombstone("7", 1)]))
    found = LanceTable(URL, DIM, None).search(vectors[9], 3)
    assert found.entries.name(0) == "9"
    assert table.count() == 399
    assert all(path.startswith("/index/prefix/0123456789ab/tables/") for path in storage.objects)
    versions = {path for path in storage.objects if path.endswith(".manifest")}
    assert versions
    assert versions <= storage.created  # so no writer replaces the version of another


def test_writers_at_once_leave_each_photo_once(storage):
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

"""Several writers, compactions and readers on one bucket, each in its own process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import open_bucket
from tests.index.making import SPACE, unit
from tests.index.workers import (
    assert_nothing_is_left_behind,
    assert_nothing_lost,
    compact_for_ever,
    context,
    processes,
    seen,
    told,
    write_for_ever,
)
from tests.support.gcs_double import CloudStorageDouble

EVENTS = int(os.environ.get("EXAMPLES", "30"))  # of each of three writers


@pytest.fixture(params=["file", "gs"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield (tmp_path / "index").as_uri()
        return
    double: CloudStorageDouble = request.getfixturevalue("gcs_double")
    double.page_size = 100
    yield "gs://photos/index"


def test_nobody_gets_in_the_way_of_anybody(url: str, tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged"
    environment = {k: v for k, v in os.environ.items() if k == "STORAGE_EMULATOR_HOST"}
    writers = [(within, environment, write_for_ever, url, acknowledged, i, EVENTS) for i in "123"]
    compactors = [(within, environment, compact_for_ever, url)] * 3
    reader, index = SnapshotReader(open_bucket(url), SPACE), PhotoIndex()
    with processes(*writers, *compactors) as running:
        while any(process.is_alive() for process in running[:3]):
            answered = told(acknowledged)
            snapshot = reader.refresh()
            index.update(snapshot)
            hits = {hit.name: hit.generation for hit in index.search(unit(1, 0, 0, 0), 100)}
            states = {snapshot.entries.name(r): r for r in range(len(snapshot.entries))}
            assert len(states) == len(snapshot.entries)
            assert len(hits) == snapshot.photos
            for name, (generation, _) in answered.items():
                assert snapshot.entries.generations[states[name]] >= generation
            time.sleep(0.05)
        assert all(process.exitcode == 0 for process in running[:3])
        assert all(process.is_alive() for process in running[3:])
    assert seen(url) == told(acknowledged)  # every event was acknowledged
    assert_nothing_is_left_behind(url)
    assert_nothing_lost(url, acknowledged)
    assert context.get_start_method() == "forkserver"


def within(environment: dict[str, str], function, *args) -> None:
    """Sets the worker's environment: its fork server was started with another one."""
    os.environ.update(environment)
    function(*args)

"""Requests fail before or after they took effect: no entry is lost, every reader is right."""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from datetime import timedelta

import numpy as np
import pytest

from clipsearch.errors import DamagedObject, StorageError
from clipsearch.index.compaction import compact, merge, run
from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.segments import segments_prefix, write_segment
from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import gcs
from clipsearch.storage.gcs import GcsBucket
from tests.index.making import SPACE, facts, photo, random_units, tombstone
from tests.support.buckets import FaultyBucket
from tests.support.gcs_double import LOST, CloudStorageDouble
from tests.support.memory import MemoryBucket

SEEDS = range(int(os.environ.get("EXAMPLES", "4")))
State = tuple[int, int]  # generation and kind


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "FANOUT", 2)
    monkeypatch.setattr(merge, "MAX_SEGMENT", 12)


@pytest.mark.parametrize("lies", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_fault_loses_an_acknowledged_entry_or_makes_a_reader_wrong(
    seed: int, lies: bool
) -> None:
    chance, memory = random.Random(seed), MemoryBucket()
    memory.page = 5
    bucket = FaultyBucket(memory, seed, lies=lies)
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
    answered: dict[str, State] = {}
    tried: dict[str, State] = {}
    read = 0
    for generation in range(1, 80):
        memory.later(timedelta(minutes=chance.choice([0, 1, 10])))
        entry = new_entry(chance, generation, memory)
        tried[entry.name] = entry.generation, entry.kind
        with suppress(StorageError):  # a 500: the event is redelivered, or a reconcile repairs it
            write_segment(bucket, SPACE, [entry])
            answered[entry.name] = entry.generation, entry.kind
        if chance.random() < 0.2:
            with suppress(StorageError):
                compact(bucket, SPACE, time.monotonic() + 60, memory.now)
        with suppress(StorageError, DamagedObject):  # a 503
            snapshot = reader.refresh()
            index.update(snapshot)
            read += 1
            check(snapshot, index, answered, tried)
    assert read > 5
    check_calm(memory, answered, tried)


def new_entry(chance: random.Random, generation: int, bucket: MemoryBucket) -> Entry:
    name, time_us = chance.choice("abcdef"), int(bucket.now.timestamp() * 1e6)
    if chance.random() < 0.3:
        return tombstone(name, generation, time_us)
    return photo(name, generation, vector_of(generation), time_us)


def vector_of(generation: int) -> np.ndarray:
    return random_units(1, 4, seed=generation)[0]


def check(
    snapshot: Snapshot, index: PhotoIndex, answered: dict[str, State], tried: dict[str, State]
) -> None:
    entries, photos = snapshot.entries, {}
    seen = {
        entries.name(row): (int(entries.generations[row]), int(entries.kinds[row]))
        for row in range(len(entries))
    }
    assert len(seen) == len(entries)
    for name, state in seen.items():
        assert state <= tried[name]
        if state[1] == Kind.VECTOR:
            photos[name] = state[0]
            assert np.array_equal(index.vector_of(name), vector_of(state[0]))
    hits = index.search(np.array([1, 0, 0, 0], np.float32), 100)
    assert {hit.name: hit.generation for hit in hits} == photos
    if not snapshot.damaged:  # or /status says what is missing
        for name, state in answered.items():
            assert seen.get(name, (1 << 62, 2)) >= state
            assert name in seen or state[1] == Kind.TOMBSTONE


def check_calm(memory: MemoryBucket, answered: dict[str, State], tried: dict[str, State]) -> None:
    """After the faults end, every entry exists and no object is left over."""
    for _ in range(3):
        snapshot, index = SnapshotReader(memory, SPACE).refresh(), PhotoIndex()
        index.update(snapshot)
        assert not snapshot.damaged
        check(snapshot, index, answered, tried)
        assert compact(memory, SPACE, time.monotonic() + 60, memory.now).finished
        memory.later(run.GRACE)
    segments = {name.removeprefix(segments_prefix(SPACE)) for name in memory.names()}
    assert set(newest_commit(memory, SPACE).segments) <= segments
    assert len(memory.names(segments_prefix(SPACE))) == len(newest_commit(memory, SPACE).segments)


@pytest.mark.parametrize("seed", SEEDS)
def test_over_http_errors_and_lost_answers_do_no_harm(
    gcs_double: CloudStorageDouble, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The client retries: a request that it reports as failed may have taken effect."""
    monkeypatch.setattr(gcs, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(gcs, "LONGEST_WAIT_S", 0.01)
    gcs_double.page_size = 100
    bucket, chance = GcsBucket("gs://photos/index"), random.Random(seed)
    entries = [photo(f"p{i}", 1, vector_of(i)) for i in range(10)]
    for entry in entries:
        gcs_double.faults.extend(chance.choices([None, LOST, 503, 429, 412], [8, 1, 1, 1, 0], k=3))
        write_segment(bucket, SPACE, [entry])
    now = max(stat.updated for stat in bucket.list())
    for hours in (0, 3, 6):
        gcs_double.faults.extend(chance.choices([None, LOST, 503, 429, 408], [8, 1, 1, 1, 1], k=60))
        with suppress(StorageError):
            compact(bucket, SPACE, time.monotonic() + 60, now + timedelta(hours=hours))
        gcs_double.faults.clear()
        found = SnapshotReader(bucket, SPACE).refresh()
        assert {fact[0] for fact in facts(found.entries, vectors=False)} == {
            entry.name for entry in entries
        }
    bucket.close()

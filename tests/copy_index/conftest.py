"""A library in memory: a model, photos and deleted photos, and what a reader finds of it."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.index.compaction import compact, merge
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import Bucket
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, photo, random_units, tombstone
from tests.index.packed import COUNT, commit_of, publish_packed
from tests.index.packed import photos as photos_of
from tests.support.memory import MemoryBucket
from tests.support.tiny_bundle import DIM, make_tiny_bundle

State = tuple[int, int]  # generation and kind


class Library:
    """The index in `bucket`, and each state that each photo ever had, the newest last."""

    def __init__(self, bucket: MemoryBucket, space: str) -> None:
        self.bucket, self.space = bucket, space
        self.history: dict[str, list[State]] = {}

    def upload(self, *names: str) -> None:
        self._write([self._next(name, Kind.VECTOR) for name in names])

    def delete(self, *names: str) -> None:
        self._write([self._next(name, Kind.TOMBSTONE) for name in names])

    def act(self, chance: random.Random) -> None:
        """Whatever happens to a library. Compaction may delete what an earlier one replaced."""
        names = chance.sample("abcdefgh", 2)
        chance.choice([self.upload, self.upload, self.delete])(*names)
        if chance.random() < 0.3:
            self.bucket.later(timedelta(hours=3))
        if chance.random() < 0.1:
            self.bucket.later(timedelta(days=9))
        if chance.random() < 0.5:
            self.compact()

    def compact(self) -> None:
        compact(self.bucket, self.space, time.monotonic() + 60, self.bucket.now)

    def forget(self) -> None:
        """Merge all, delete what was merged, and drop old tombstones with their photos."""
        for _ in range(4):
            self.bucket.later(timedelta(days=9))
            self.compact()

    def states(self) -> dict[str, State]:
        return states(self.bucket, self.space)

    def photos(self) -> dict[str, int]:
        """The generation of each photo that can be found."""
        return photos(self.bucket, self.space)

    def _write(self, entries: list[Entry]) -> None:
        write_segment(self.bucket, self.space, entries)
        for entry in entries:
            state = entry.generation, int(entry.kind)
            self.history.setdefault(entry.name, []).append(state)

    def _next(self, name: str, kind: Kind) -> Entry:
        past = self.history.get(name, [(0, Kind.TOMBSTONE)])
        now = int(self.bucket.now.timestamp() * 1e6)
        generation = past[-1][0] + (kind == Kind.VECTOR or past[-1][1] == Kind.TOMBSTONE)
        if kind == Kind.TOMBSTONE:
            return tombstone(name, generation, now)
        seed = sum(name.encode()) * 1000 + generation
        return photo(name, generation, random_units(1, DIM, seed)[0], now)


def states(bucket: Bucket, space: str) -> dict[str, State]:
    snapshot = SnapshotReader(bucket, space).refresh()
    assert snapshot.damaged == ()
    entries = snapshot.entries
    return {
        entries.name(row): (int(entries.generations[row]), int(entries.kinds[row]))
        for row in range(len(entries))
    }


def photos(bucket: Bucket, space: str) -> dict[str, int]:
    return {n: g for n, (g, kind) in states(bucket, space).items() if kind == Kind.VECTOR}


def answers(bucket: Bucket, space: str, dimension: int = DIM) -> list[list[tuple[Any, ...]]]:
    """What some searches find, best first."""
    index = PhotoIndex()
    index.update(SnapshotReader(bucket, space).refresh())
    queries = random_units(5, dimension, seed=5)
    return [
        [(hit.name, hit.generation, round(float(hit.score), 5)) for hit in index.search(q, 50)]
        for q in np.asarray(queries)
    ]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def library(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Ten photos; merges take two segments."""
    monkeypatch.setattr(merge, "FANOUT", 2)
    bucket = MemoryBucket()
    found = Library(bucket, publish_bundle(bundle, bucket))
    for name in "abcdefgh":
        found.upload(name)
    found.compact()
    found.upload("i")
    found.upload("j")
    return found


@pytest.fixture
def target() -> MemoryBucket:
    bucket = MemoryBucket()
    bucket.url = "memory://copy"
    return bucket


@pytest.fixture
def packed_library(tmp_path: Path) -> FolderBucket:
    """Three segments with packs, and one without."""
    bucket = FolderBucket(tmp_path / "packed")
    parts = photos_of(0, 2500), photos_of(2500, 5000), photos_of(5000, 5900)
    publish_packed(bucket, commit_of(bucket, *parts))
    write_segment(bucket, SPACE, photos_of(5900, COUNT))
    return bucket

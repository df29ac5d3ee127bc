"""What is measured on an index of one size."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.index import uploads
from benchmarks.index.data import SEGMENT, SPACE, entries, name_of
from benchmarks.memory import parts
from clipsearch.index.compaction import compact
from clipsearch.index.format.fill import Want
from clipsearch.index.format.segments import write_entries
from clipsearch.storage import Stat
from clipsearch.storage.local import FolderBucket
from ingest.messages import Message, Reconcile
from ingest.reconcile.run import reconcile

NEW = 20  # uploads to merge: more than compaction waits for
FIRST_NEW = 90_000_000  # their numbers
COLD = ("imports", "read the index", "index it", "search")
WHEN = datetime(2024, 1, 1, tzinfo=UTC)


def measure(folder: Path, photos: int) -> dict[str, float]:
    """`folder`: an index of data.write_library. By the names in the package's docstring."""
    process = parts.measure(folder)
    upload = uploads.measure_one(photos)
    steps = process["steps"]
    return {
        "cold start": sum(steps[step]["cpu_ms"] for step in COLD) / 1e3,
        "search": process["cpu_ms"]["search"],
        "memory": steps["search"]["now"] / 1e6,
        "refresh": steps["one upload"]["cpu_ms"],
        "upload": upload["requests"],
        "upload bytes": upload["bytes"],
        "compaction": _compaction(folder),
        "reconcile": _reconcile(folder, photos),
    }


def _compaction(folder: Path) -> float:
    with _linked(folder) as bucket:
        for number in range(NEW):
            vector = np.eye(1, 512, number, dtype=np.float32)
            write_entries(bucket, SPACE, entries(FIRST_NEW + number, vector))
        begin = time.process_time()
        report = compact(bucket, SPACE, time.monotonic() + 600, datetime.now(UTC))
        seconds = time.process_time() - begin
        assert report.finished
        assert report.merges
        return seconds


def _reconcile(folder: Path, photos: int) -> float:
    names = [(name_of(number).encode(), number) for number in range(photos)]
    stats = [_stat(name.decode(), number) for name, number in sorted(names)]
    with _linked(folder) as bucket:
        begin = time.process_time()
        found = reconcile(
            _Listing(stats), bucket, Reconcile(SPACE), _Nobody(), float("inf"), Want()
        )
        seconds = time.process_time() - begin
    assert found is not None
    assert found.indexed == photos
    return seconds


def _stat(name: str, number: int) -> Stat:
    """As the index has this photo."""
    return Stat(name, 1_700_000_000_000_000 + number % SEGMENT, 100_000, "image/jpeg", WHEN)


@contextmanager
def _linked(folder: Path) -> Iterator[FolderBucket]:
    """A copy of the index that shares its files, which never change."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        copy = Path(temporary) / "index"
        shutil.copytree(folder, copy, copy_function=os.link)
        yield FolderBucket(copy)


class _Listing(FolderBucket):
    """A bucket that lists these photos."""

    def __init__(self, stats: list[Stat]) -> None:
        super().__init__(Path(tempfile.gettempdir()))
        self.url = "gs://photos"
        self._stats = stats

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        return (stat for stat in self._stats if stat.name >= start)


class _Nobody:
    """Gets the messages; there should be none."""

    keeps = False

    def send(self, message: Message) -> None:
        raise AssertionError(message)

    def flush(self) -> None:
        pass

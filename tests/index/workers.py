"""Processes that use one bucket concurrently and can be killed at any moment.

They start fast: a fork server has already imported everything.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from clipsearch.index.compaction import compact, merge, run
from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import segments_prefix, write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage import open_bucket
from tests.index.making import SPACE, photo, random_units, tombstone

NAMES = 12
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.index.workers", "clipsearch.storage.gcs"])

State = tuple[int, int]  # generation and kind


@contextmanager
def processes(*work: tuple[Any, ...]) -> Iterator[list[ForkServerProcess]]:
    """Run functions of this module with their arguments. The processes end with the block."""
    with pytest.MonkeyPatch.context() as patch:
        # Before Python 3.13, the server does not get our path, so its imports fail silently.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    running = [context.Process(target=function, args=args) for function, *args in work]
    for process in running:
        process.start()
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.join()


def write_for_ever(url: str, acknowledged: Path, seed: int, count: int = 1 << 30) -> None:
    """Write events in sequence; append a line to `acknowledged` for each acknowledged one."""
    chance, bucket = random.Random(seed), open_bucket(url)
    log = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for _ in range(count):
        now = time.time_ns() // 1000
        name, generation = f"p{chance.randrange(NAMES)}", now
        vector = random_units(1, 4, seed=chance.randrange(1000))[0]
        is_there = chance.random() < 0.7
        # A current time: a purge rightly drops a tombstone of 1970.
        entry = (
            photo(name, generation, vector, now) if is_there else tombstone(name, generation, now)
        )
        write_segment(bucket, SPACE, [entry])
        os.write(log, json.dumps([name, generation, int(entry.kind)]).encode() + b"\n")


def compact_for_ever(url: str) -> None:
    """With small tiers and without a grace period, so that every step runs often."""
    merge.FANOUT, merge.MAX_SEGMENT, merge.MAX_SOURCES = 2, 32, 8
    bucket = open_bucket(url)
    while True:
        compact(bucket, SPACE, time.monotonic() + 60, datetime.now(UTC))


def told(acknowledged: Path) -> dict[str, State]:
    """The newest acknowledged state of each photo, without a line that a kill cut off."""
    result: dict[str, State] = {}
    lines = acknowledged.read_text().splitlines() if acknowledged.exists() else []
    for line in lines:
        name, generation, kind = json.loads(line)
        result[name] = max((generation, kind), result.get(name, (0, 0)))
    return result


def seen(url: str) -> dict[str, State]:
    entries = SnapshotReader(open_bucket(url), SPACE).refresh().entries
    names = [entries.name(row) for row in range(len(entries))]
    assert len(set(names)) == len(names)
    return {
        name: (int(entries.generations[row]), int(entries.kinds[row]))
        for row, name in enumerate(names)
    }


def assert_nothing_lost(url: str, acknowledged: Path) -> None:
    """Every acknowledged state, or a newer one (acknowledged or not), is in the index."""
    found = seen(url)
    for name, state in told(acknowledged).items():
        assert found[name] >= state


def assert_nothing_is_left_behind(url: str) -> None:
    """After the grace period, only the newest commits and their segments exist."""
    before, bucket = seen(url), open_bucket(url)
    for hours in (3, 6):
        later = datetime.now(UTC) + timedelta(hours=hours)
        assert compact(bucket, SPACE, time.monotonic() + 60, later).finished
    prefix = segments_prefix(SPACE)
    segments = {stat.name.removeprefix(prefix) for stat in bucket.list(prefix)}
    assert segments == set(newest_commit(bucket, SPACE).segments)
    assert len(list(bucket.list())) <= len(segments) + 2
    assert seen(url) == before
    assert {kind for _, kind in before.values()} <= {Kind.VECTOR, Kind.TOMBSTONE}
    assert timedelta(hours=3) > run.GRACE

"""Runs compaction, and computes the index that it must preserve."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from clipsearch.errors import DamagedObject
from clipsearch.index import compaction
from clipsearch.index.compaction import Report, run
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.segments import read_segment, segments_prefix, write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from tests.index.making import SPACE, Facts, facts, photo, random_units, tombstone
from tests.support.memory import MemoryBucket

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def now_us(bucket: MemoryBucket) -> int:
    return int(bucket.now.timestamp() * 1e6)


def compact(bucket: Any, memory: MemoryBucket | None = None, seconds: float = 60) -> Report:
    now = (memory or bucket).now
    return compaction.compact(bucket, SPACE, time.monotonic() + seconds, now)


def settle(bucket: MemoryBucket) -> None:
    """Two runs, each more than GRACE after the last, which clean up completely."""
    for _ in range(2):
        bucket.later(run.GRACE)
        assert compact(bucket).finished


def segments(bucket: MemoryBucket) -> list[str]:
    return [n.removeprefix(segments_prefix(SPACE)) for n in bucket.names(segments_prefix(SPACE))]


def truth(bucket: MemoryBucket) -> Facts:
    """The index by the merge rule over all objects, which every reader must see."""
    parts = []
    for name in segments(bucket):
        with suppress(DamagedObject):
            parts.append(read_segment(bucket, SPACE, name))
    entries = Entries.concat(parts)
    return facts(entries.take(entries.winners()))


def seen(bucket: MemoryBucket) -> Facts:
    return facts(SnapshotReader(bucket, SPACE).refresh().entries, vectors=False)


def without_vectors(found: Facts) -> Facts:
    return {(*fact[:6], None, *fact[7:]) for fact in found}


def fill(
    bucket: MemoryBucket, count: int, start: int = 0, each: int = 1, dimension: int = 4
) -> list[str]:
    """Photos p0, p1, … (from `start` on), `each` per segment."""
    vectors = random_units(count, dimension, seed=start)
    entries = [photo(f"p{start + i}", 1, v, now_us(bucket)) for i, v in enumerate(vectors)]
    return [write_segment(bucket, SPACE, entries[i : i + each]) for i in range(0, count, each)]


def bury(bucket: MemoryBucket, numbers: Iterable[int]) -> None:
    for i in numbers:
        write_segment(bucket, SPACE, [tombstone(f"p{i}", 1, now_us(bucket))])


def filled(bucket: MemoryBucket, deleted: int) -> None:
    """20 photos in one segment; the first `deleted` have tombstones. No sources are left."""
    fill(bucket, 20)
    compact(bucket)
    bury(bucket, range(deleted))
    settle(bucket)
    assert len(segments(bucket)) == (2 if deleted else 1)

"""One compaction run: its deadline, and the read and replace steps of merge and purge."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from clipsearch.errors import DamagedObject, ObjectNotFound
from clipsearch.index.compaction.transaction import advance, newest_or_blank
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.segments import (
    new_segment_name,
    read_segment,
    segment_bytes,
    segment_path,
)
from clipsearch.storage import Bucket

# Much longer than a reader's refresh, and than a run can last (Cloud Run: one hour).
GRACE = timedelta(hours=2)
# The purge and packing take this long; a run with less time skips them.
WORTH_BEGINNING_S = 20.0
REQUESTS = 8  # in parallel: storage responds in tens of ms, and its client pools 10 connections

_log = logging.getLogger("clipsearch")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Report:
    """Results of one run.

    `damaged`: "object: reason" of each segment that was skipped. `finished`: nothing is left to do.
    """

    merges: int = 0
    merged_entries: int = 0
    purged_entries: int = 0
    deleted_objects: int = 0
    damaged: tuple[str, ...] = ()
    finished: bool = False


class Run:
    """One run over one space, until `deadline` (time.monotonic()). Ages are relative to `now`.

    `damaged`: segments that this run could not read. `deleted`: replaced segments that the next
    commit may omit. `damaged_packs`: unusable packs.
    """

    def __init__(self, bucket: Bucket, space: str, deadline: float, now: datetime) -> None:
        self.bucket, self.space, self.deadline, self.now = bucket, space, deadline, now
        self.report = Report()
        self.damaged: set[str] = set()
        self.deleted: frozenset[str] = frozenset()
        self.damaged_packs: set[str] = set()

    def has(self, seconds: float) -> bool:
        """Whether this many seconds are left before the deadline."""
        return time.monotonic() + seconds < self.deadline

    def is_past_grace(self, then: datetime) -> bool:
        return self.now - then >= GRACE

    def read(self, names: Iterable[str]) -> dict[str, Entries]:
        """The readable segments by name. Marks the others as damaged."""

        def read_one(name: str) -> Entries | DamagedObject | None:
            try:
                return read_segment(self.bucket, self.space, name)
            except DamagedObject as damaged:
                return damaged
            except ObjectNotFound:
                return None  # another run merged it, and its GRACE is over

        readable = {}
        names = list(names)
        for name, found in zip(names, in_parallel(read_one, names), strict=True):
            if isinstance(found, Entries):
                readable[name] = found
            else:
                self.mark_damaged(name, found)
        return readable

    def mark_damaged(self, name: str, problem: DamagedObject | None) -> None:
        self.damaged.add(name)
        if problem:
            _log.error("compaction skips a segment: %s", problem)
            self.report.damaged += (f"{problem.name}: {problem.reason}",)

    def replace(
        self,
        sources: Iterable[str],
        entries: Entries,
        is_valid: Callable[[Commit], bool],
        purged: datetime | None = None,
    ) -> bool:
        """Write `entries` as one segment that replaces `sources`, and publish the commit.

        False if `is_valid(newest commit)` is false, or if other runs win the race until the
        deadline; the segment then stays loose. `purged`: the commit's new value.
        """
        if not is_valid(newest_or_blank(self.bucket, self.space)):
            return False  # avoids writing a useless segment
        name = new_segment_name(time.time_ns() // 1000)
        self.bucket.create(segment_path(self.space, name), segment_bytes(self.space, entries))

        def change(newest: Commit) -> Commit | None:
            if not is_valid(newest):
                return None
            following = _replaced(newest, set(sources), name, len(entries), self.deleted)
            return replace(following, purged=purged or newest.purged)

        return advance(self.bucket, self.space, change, self.deadline) is not None


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call `work` on each item, REQUESTS in parallel. Results in order; raises the first error."""
    with ThreadPoolExecutor(REQUESTS, "clipsearch-compaction") as pool:
        try:
            return list(pool.map(work, items))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _replaced(
    commit: Commit, sources: set[str], merged: str, size: int, deleted: frozenset[str]
) -> Commit:
    kept = tuple(name for name in commit.segments if name not in sources)
    known = {old: new for old, new in commit.replaced.items() if old not in deleted}
    return replace(
        commit,
        segments=(*kept, merged),
        sizes={**{n: commit.sizes[n] for n in kept if n in commit.sizes}, merged: size},
        replaced={**known, **dict.fromkeys(sorted(sources), merged)},
        packs={name: pack for name, pack in commit.packs.items() if name not in sources},
    )

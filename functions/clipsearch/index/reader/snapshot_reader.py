"""What a reader knows: one commit and the segments that came after it.

reader = SnapshotReader(bucket, space)
index = PhotoIndex()
index.update(reader.refresh())  # again and again; only what is new is read
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clipsearch.errors import DamagedObject, ObjectNotFound, StorageError
from clipsearch.index.format.commits import Commit, commit_number, list_commits, read_commit
from clipsearch.index.format.segments import is_segment_name, segment_path, segments_prefix
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.loader import Loader
from clipsearch.index.reader.snapshot import Snapshot, grown, snapshot_of
from clipsearch.index.reader.vector_queue import VectorQueue
from clipsearch.storage import Bucket

ATTEMPTS = 5  # each lost one means that a whole compaction ended while we were reading
# What is damaged is seldom mended; a minute is no time for whoever mends it.
RETRY_DAMAGED_S = 60.0
# A reader that has slept longer may have missed tombstones, which live for a week.
START_OVER_AFTER_S = 86_400.0

__all__ = ["Snapshot", "SnapshotReader"]

_log = logging.getLogger("clipsearch")


@dataclass(frozen=True, slots=True)
class _Known:
    """What a reader has after a refresh that went well; the next one builds on it.

    `seen`: segments whose entries are in the catalogue. `damaged`: those that are damaged,
    with the reason and when to try again. `other_damage`: other objects that cannot be used.
    """

    snapshot: Snapshot
    seen: frozenset[str] = frozenset()
    dimension: int | None = None
    damaged: Mapping[str, tuple[DamagedObject, float]] = field(default_factory=dict)
    other_damage: Mapping[str, str] = field(default_factory=dict)
    at: float = float("inf")


class SnapshotReader:
    """Reads the index of one space, and later only what is new. Any thread may refresh."""

    def __init__(
        self,
        bucket: Bucket,
        space: str,
        keep_vectors: bool = True,
        retry_damaged_s: float = RETRY_DAMAGED_S,
        start_over_after_s: float = START_OVER_AFTER_S,
    ) -> None:
        """`keep_vectors`: for a PhotoIndex, which takes them; False for who wants the entries."""
        self._bucket = bucket
        self._space = space
        self._keep_vectors = keep_vectors
        self._retry_damaged_s = retry_damaged_s
        self._start_over_after_s = start_over_after_s
        self._lock = threading.Lock()
        self._known = self._blank(VectorQueue())

    def refresh(self) -> Snapshot:
        """The newest snapshot; the same object as before if nothing is new.

        A damaged object is set aside, named in the snapshot, and tried again later. So is a
        segment that is not there although the newest commit names it. Raises StorageError.
        """
        with self._lock:
            now = time.time()  # goes on while the machine sleeps
            known = self._known
            if now - known.at > self._start_over_after_s:
                known = self._blank(VectorQueue(known.snapshot.fresh.era + 1))
            vanished: ObjectNotFound | None = None
            with Loader(self._bucket, self._space, self._keep_vectors) as loader:
                number = -1  # of the commit that the attempt before had
                for _ in range(ATTEMPTS):
                    # The segments first: what the commit has merged meanwhile is in the commit.
                    listed = self._list_segments()
                    try:
                        commit, newer = self._newest_commit()
                        loader.other_damage.update(newer)
                        # Compaction would have said where it went: it is lost.
                        loader.lacks_segments = commit.number == number
                        number = commit.number
                        wanted = self._read(known, loader, commit, listed, not newer, now)
                        self._known = self._advanced(known, loader, commit, wanted, now)
                    except ObjectNotFound as exc:
                        vanished = exc
                        continue
                    return self._known.snapshot
            raise StorageError(
                f"refresh the index {self._space!r} in {self._bucket.url}: objects vanished while "
                f"they were read, {ATTEMPTS} times in a row; the last one is {vanished}"
            ) from vanished

    def _blank(self, fresh: VectorQueue) -> _Known:
        return _Known(snapshot_of(self._space, Catalogue.empty(), 0, fresh))

    def _list_segments(self) -> set[str]:
        prefix = segments_prefix(self._space)
        names = (stat.name.removeprefix(prefix) for stat in self._bucket.list(prefix))
        return {name for name in names if is_segment_name(name)}

    def _newest_commit(self) -> tuple[Commit, dict[str, str]]:
        """The newest commit that can be read, and what is wrong with those that are newer."""
        other_damage: dict[str, str] = {}
        for stat in reversed(list_commits(self._bucket, self._space)):
            try:
                return read_commit(self._bucket, self._space, stat.name), other_damage
            except DamagedObject as damaged:
                other_damage[damaged.name] = damaged.reason
        numbers = [commit_number(name, self._space) for name in other_damage]
        return Commit(
            self._space, max((number or 0 for number in numbers), default=0)
        ), other_damage

    def _read(
        self,
        known: _Known,
        loader: Loader,
        commit: Commit,
        listed: set[str],
        is_newest: bool,
        now: float,
    ) -> set[str]:
        """Read what is new; returns the names of the segments that make up the index."""
        wanted = listed - commit.replaced.keys()
        if is_newest:
            wanted |= set(commit.segments)
        # else: all segments that exist give the right index, and an older commit may name others
        waiting = {name for name, (_, again) in known.damaged.items() if now < again}
        told = _Told(known.seen, commit)
        while True:
            broken = waiting | loader.damaged.keys()
            # In the place of one that is damaged, what was merged into it, while it is there.
            wanted |= {old for old, new in commit.replaced.items() if new in broken} & listed
            new = wanted - known.seen - loader.parts.keys() - broken
            new -= {name for name in new - known.damaged.keys() if told.of(name)}
            if not new:
                return wanted
            loader.read(new, commit.packs)
            self._mark_other_dimensions(known, loader)

    def _mark_other_dimensions(self, known: _Known, loader: Loader) -> None:
        found = loader.dimensions()
        right = known.dimension or _commonest(found.values())
        for name, dimension in found.items():
            if dimension != right:
                reason = f"its vectors have {dimension} dimensions, those of other segments {right}"
                loader.mark_damaged(name, reason)

    def _advanced(
        self, known: _Known, loader: Loader, commit: Commit, wanted: set[str], now: float
    ) -> _Known:
        snapshot = grown(known.snapshot, commit.number, loader)
        left = (known.damaged.keys() & wanted) - loader.parts.keys()
        damaged = {name: known.damaged[name] for name in left}
        for name, problem in loader.damaged.items():
            damaged[name] = problem, now + self._retry_damaged_s
        named = {*commit.packs.values(), commit.quantizer}
        other_damage = {
            name: reason for name, reason in known.other_damage.items() if name in named
        }
        other_damage |= loader.other_damage
        dimension = known.dimension or _commonest(loader.dimensions().values())
        seen = frozenset(wanted - damaged.keys())
        snapshot = self._with_damage(snapshot, damaged, other_damage)
        return _Known(snapshot, seen, dimension, damaged, other_damage, now)

    def _with_damage(
        self,
        snapshot: Snapshot,
        damaged: Mapping[str, tuple[DamagedObject, float]],
        other_damage: Mapping[str, str],
    ) -> Snapshot:
        found = {segment_path(self._space, n): p.reason for n, (p, _) in damaged.items()}
        found |= other_damage
        said = tuple(f"{name}: {reason}" for name, reason in sorted(found.items()))
        for line in said:
            if line not in self._known.snapshot.damaged:
                _log.error("a damaged object is set aside: %s", line)
        return snapshot if said == snapshot.damaged else replace(snapshot, damaged=said)


class _Told:
    """Which segments hold nothing new: all that was merged into them has been seen."""

    def __init__(self, seen: frozenset[str], commit: Commit) -> None:
        self._seen = seen
        self._sources: dict[str, list[str]] = {}
        for old, new in commit.replaced.items() if seen else ():
            self._sources.setdefault(new, []).append(old)

    def of(self, name: str) -> bool:
        # pop: each is asked for once at most, so that even a circle would end
        sources = self._sources.pop(name, [])
        return bool(sources) and all(s in self._seen or self.of(s) for s in sources)


def _commonest(dimensions: Any) -> int | None:
    found = list(dimensions)
    return max(set(found), key=found.count) if found else None

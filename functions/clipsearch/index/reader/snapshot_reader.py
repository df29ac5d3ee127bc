"""Reads the newest commit and the segments added after it.

reader = SnapshotReader(bucket, space)
index = PhotoIndex()
index.update(reader.refresh())  # repeat; reads only new objects
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clipsearch.errors import DamagedObject, ObjectNotFound, StorageError, UnknownFormat
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.packs import parse_pack_path
from clipsearch.index.format.segments import segment_path
from clipsearch.index.reader.base import Base
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.loader import Loader
from clipsearch.index.reader.snapshot import Snapshot, grown, snapshot_of
from clipsearch.index.reader.stored_rows import RowStore
from clipsearch.index.reader.told import Told
from clipsearch.index.reader.vector_queue import VectorQueue
from clipsearch.index.reader.watch import Seen, Watch
from clipsearch.storage import Bucket

ATTEMPTS = 5  # an attempt fails if a whole compaction ends during it
# Damaged objects are rarely repaired, and a repair can wait a minute to be noticed.
RETRY_DAMAGED_S = 60.0
# After a longer sleep, a reader may have missed tombstones, which are kept for a week.
START_OVER_AFTER_S = 86_400.0

__all__ = ["Snapshot", "SnapshotReader"]

_log = logging.getLogger("clipsearch")


@dataclass(frozen=True, slots=True)
class _Known:
    """A reader's state after a successful refresh; the next refresh builds on it.

    `seen`: segments whose entries are in the catalogue. `damaged`: damaged segments, each with
    its error and the time of the next retry. `other_damage`: other unusable objects. `packs`: of
    those whose rows stay in the bucket, all that were tried.
    """

    snapshot: Snapshot
    seen: frozenset[str] = frozenset()
    dimension: int | None = None
    damaged: Mapping[str, tuple[DamagedObject, float]] = field(default_factory=dict)
    other_damage: Mapping[str, str] = field(default_factory=dict)
    packs: frozenset[str] = frozenset()
    at: float = float("inf")


class SnapshotReader:
    """Reads the index of one space; later refreshes read only new objects. Thread-safe."""

    def __init__(
        self,
        bucket: Bucket,
        space: str,
        keep_vectors: bool = True,
        is_sparing: bool = False,
        most_rows: int | None = None,
        retry_damaged_s: float = RETRY_DAMAGED_S,
        start_over_after_s: float = START_OVER_AFTER_S,
        base: Base | None = None,
    ) -> None:
        """`keep_vectors`: True for a PhotoIndex; False if you need only the entries.

        `is_sparing`: refreshes make few requests and may miss news for up to a minute, but never a
        usual upload (watch.py). `most_rows`: bytes. If packs have more rows, these stay in the
        bucket, and the snapshot's index reads those that it compares; None: never. `base`: what
        it holds is neither read nor in the snapshot; not with `most_rows`.
        """
        self._bucket = bucket
        self._space = space
        self._keep_vectors = keep_vectors
        self._retry_damaged_s = retry_damaged_s
        self._start_over_after_s = start_over_after_s
        self._lock = threading.Lock()
        self._watch = Watch(bucket, space)
        self._is_sparing, self._most_rows, self._base = is_sparing, most_rows, base
        self._store: RowStore | None = None  # from when rows stay in the bucket
        self._starts_over = False
        self._refused: dict[str, str] = {}  # reason by path of each pack whose rows were damaged
        self._known = self._blank(VectorQueue())

    def refresh(self) -> Snapshot:
        """The newest snapshot; the same object as before if nothing is new.

        A damaged object is skipped, named in the snapshot, and retried later. So is a missing
        segment that the newest commit names. Raises StorageError.
        """
        with self._lock:
            now = time.time()  # monotonic() may stop while the machine sleeps
            known = self._known
            if now - known.at > self._start_over_after_s:
                known = self._blank(VectorQueue(known.snapshot.fresh.era + 1))
            vanished: ObjectNotFound | None = None
            with Loader(self._bucket, self._space, self._keep_vectors) as loader:
                number = -1  # commit number of the previous attempt
                for attempt in range(ATTEMPTS):
                    try:
                        lost = self._store.lost if self._store else {}
                        seen = self._watch.look(
                            attempt > 0 or not self._is_sparing or not known.seen or bool(lost)
                        )
                        loader.other_damage.update(seen.damaged)
                        if self._keep_vectors:
                            known = self._prepared(known, loader, seen.commit)
                        # No newer commit: compaction did not delete the segment, so it is lost.
                        loader.lacks_segments = seen.commit.number == number
                        number = seen.commit.number
                        wanted = self._read(known, loader, seen, now)
                        self._known = self._advanced(known, loader, seen.commit, wanted, now)
                    except ObjectNotFound as exc:
                        vanished = exc
                        continue
                    return self._known.snapshot
            raise StorageError(
                f"cannot refresh the index of space {self._space!r} in {self._bucket.url}: objects "
                f"vanished during {ATTEMPTS} attempts in a row; last error: {vanished}"
            ) from vanished

    def _prepared(self, known: _Known, loader: Loader, commit: Commit) -> _Known:
        """Decide where rows are, and replace lost packs. What to build on: `known`, or nothing."""
        named = set(commit.packs.values())
        sizes = (said.size for pack in named if (said := parse_pack_path(pack)))
        if self._store is None and self._most_rows is not None and sum(sizes) > self._most_rows:
            self._store = RowStore(self._bucket)
        loader.store = self._store
        if self._store is None:
            return known
        lost = dict(self._store.lost)
        self._refused |= {pack: reason for pack, reason in lost.items() if pack in named}
        self._refused = {pack: why for pack, why in self._refused.items() if pack in named}
        loader.other_damage.update(self._refused)
        loader.instead = {name for name, pack in commit.packs.items() if pack in lost}
        # Compaction has deleted packs that are not named. New packs have their rows, usually.
        self._starts_over |= not lost.keys() <= named and named <= known.packs
        # The segments in place of those that are named may be damaged too.
        self._starts_over |= not loader.instead.isdisjoint(known.damaged)
        if not self._starts_over:
            return known
        self._store = loader.store = RowStore(self._bucket)
        loader.instead = set()
        return self._blank(VectorQueue(known.snapshot.fresh.era + 1))

    def _blank(self, fresh: VectorQueue) -> _Known:
        snapshot, base = snapshot_of(self._space, Catalogue.empty(), 0, fresh), self._base
        return _Known(snapshot, base.segments, base.dimension) if base else _Known(snapshot)

    def _read(self, known: _Known, loader: Loader, seen: Seen, now: float) -> set[str]:
        """Read new segments; returns the names of the segments that make up the index."""
        commit, listed = seen.commit, seen.segments
        wanted = set(listed - commit.replaced.keys())
        if not seen.damaged:
            wanted |= set(commit.segments)
        # else: all existing segments are the right index; an older commit may name deleted ones
        waiting = {name for name, (_, again) in known.damaged.items() if now < again}
        told = Told(known.seen, commit)
        while True:
            broken = waiting | loader.damaged.keys()
            # The sources of a damaged segment replace it while they exist.
            wanted |= {old for old, new in commit.replaced.items() if new in broken} & listed
            new = wanted - known.seen - loader.parts.keys() - broken
            new -= {name for name in new - known.damaged.keys() if told.of(name)}
            if loader.store is not None:
                new |= _unread(known, loader, commit, wanted - broken) - loader.parts.keys()
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
        snapshot = grown(known.snapshot, commit.number, loader, self._base)
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
        packs = frozenset(commit.packs.values()) if loader.store else known.packs
        seen = frozenset(wanted - damaged.keys())
        snapshot = self._with_damage(snapshot, damaged, other_damage)
        self._starts_over = False
        if self._store is not None:
            self._store.lost.clear()
        return _Known(snapshot, seen, dimension, damaged, other_damage, packs, now)

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
                _log.error("a damaged object is skipped: %s", line)
        if said == snapshot.damaged:
            return snapshot
        newer = {n for n, (problem, _) in damaged.items() if isinstance(problem, UnknownFormat)}
        return replace(snapshot, damaged=said, newer=frozenset(newer))


def _unread(known: _Known, loader: Loader, commit: Commit, wanted: set[str]) -> set[str]:
    """Segments that were seen, but whose rows are in packs that were not, or in lost ones."""
    packed = {name for name, pack in commit.packs.items() if pack not in known.packs}
    return (packed | loader.instead) & wanted


def _commonest(dimensions: Any) -> int | None:
    found = list(dimensions)
    return max(set(found), key=found.count) if found else None

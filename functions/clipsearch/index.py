# numpy and faiss at the top: import this module inside functions only, and never in ingest.
"""Search over a snapshot: exact inner products by FAISS, in an order that can be paged.

An update builds the next state beside the present one and swaps at the end. Whoever searches
keeps the state it began with, and needs no lock.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipsearch.catalogue import Catalogue
from clipsearch.errors import PhotoNotIndexed
from clipsearch.shards import Shard, appended, pruned
from clipsearch.snapshot import FreshVectors, Snapshot

# Of a score. float32 holds 7; rounding makes equal what differs by the order of adding only.
DIGITS = 6

Scores = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer; `score` is the cosine, rounded to 6 digits."""

    name: str
    score: float
    generation: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    catalogue: Catalogue
    shards: Sequence[Shard]


class PhotoIndex:
    """The photos of one SnapshotReader, to be searched from any thread at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # for update
        self._source: FreshVectors | None = None
        self._shards: Sequence[Shard] = ()  # what update has built; searches use _state
        self._state = _State(Catalogue.empty(), ())

    def update(self, snapshot: Snapshot) -> None:
        """Search in this snapshot from now on, unless a newer one is there already.

        Takes over the vectors that are new since the last call. Raises ValueError if the
        snapshot comes from another reader than the ones before.
        """
        with self._lock:
            if self._source not in (None, snapshot.fresh):
                raise ValueError("the snapshot comes from another reader; it needs its own index")
            self._source = snapshot.fresh
            live = snapshot.catalogue.live
            if len(live) <= len(self._state.catalogue.live):
                return
            while chunk := snapshot.fresh.next(len(live)):
                self._shards = appended(self._shards, *chunk, live)
                snapshot.fresh.taken()  # one by one, so that no vector is held twice
            self._shards = pruned(self._shards, live)
            if sum(shard.live for shard in self._shards) != snapshot.photos:
                raise ValueError("another index has taken vectors from the snapshot's reader")
            self._state = _State(snapshot.catalogue, self._shards)

    def search(
        self,
        vector: npt.NDArray[np.float32],
        limit: int,
        after: tuple[float, str] | None = None,
    ) -> list[Hit]:
        """The `limit` photos most like `vector` (d,), by score down, then by name.

        `after`: score and name of the last hit of the page before; only what comes after it
        is returned. Raises ValueError for a vector or a limit that cannot be.
        """
        state = self._state
        query = _checked(state, vector, limit)
        k = limit + 1 if after is None else 8 * limit  # one pass for the first few pages
        while True:
            scores, rows, unseen = _candidates(state, query, k)
            certain = scores > unseen
            if after is not None:
                certain &= _come_after(after, scores, rows, state.catalogue)
            if unseen == -np.inf or np.count_nonzero(certain) >= limit:
                return _best(scores[certain], rows[certain], limit, state.catalogue)
            k *= 4

    def vector_of(self, name: str) -> npt.NDArray[np.float32]:
        """The vector (d,) of an indexed photo; raises PhotoNotIndexed."""
        state = self._state
        row = state.catalogue.row_of(name)
        if row is not None:
            for shard in state.shards:
                vector = shard.vector_of(row)
                if vector is not None:
                    return vector
        raise PhotoNotIndexed(name)


def _checked(state: _State, vector: npt.NDArray[np.float32], limit: int) -> npt.NDArray[np.float32]:
    expected = (state.shards[0].dimension,) if state.shards else vector.shape
    if vector.ndim != 1 or vector.shape != expected or not np.isfinite(vector).all():
        raise ValueError(f"a query is {expected} finite numbers, not {vector.shape}: {vector!r}")
    if limit < 1:
        raise ValueError(f"the limit must be at least 1, not {limit!r}")
    return np.ascontiguousarray(vector, np.float32)


def _candidates(
    state: _State, query: npt.NDArray[np.float32], k: int
) -> tuple[Scores, Rows, float]:
    """Scores and rows of the best k of each shard, and what no other photo's score exceeds.

    The latter is -inf if there is no other photo.
    """
    unseen = -np.inf
    parts = []
    for shard in state.shards:
        scores, rows = shard.best(query, k)
        rounded = _rounded(scores)
        parts.append((rounded, rows))
        if len(rows) == k < shard.live:
            unseen = max(unseen, float(rounded[-1]))
    if not parts:
        return np.zeros(0), np.zeros(0, np.int64), unseen
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), unseen


def _rounded(scores: npt.NDArray[np.float32]) -> Scores:
    # + 0.0 makes -0.0 into 0.0, which would be equal but read differently.
    exact: Scores = scores.astype(np.float64)
    return exact.round(DIGITS).clip(-1, 1) + 0.0


def _come_after(
    after: tuple[float, str], scores: Scores, rows: Rows, catalogue: Catalogue
) -> npt.NDArray[np.bool_]:
    score, name = after
    result = scores < score
    for i in np.flatnonzero(scores == score):
        result[i] = catalogue.rows.name(int(rows[i])) > name
    return result


def _best(scores: Scores, rows: Rows, limit: int, catalogue: Catalogue) -> list[Hit]:
    if len(scores) > limit:
        enough = scores >= np.partition(scores, -limit)[-limit]  # with all ties of the last
        scores, rows = scores[enough], rows[enough]
    entries = catalogue.rows
    hits = [
        Hit(
            name=entries.name(int(row)),
            score=float(score),
            generation=int(entries.generations[row]),
            width=int(entries.widths[row]),
            height=int(entries.heights[row]),
        )
        for score, row in zip(scores, rows, strict=True)
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.name))[:limit]

"""Searches a snapshot by inner product with FAISS, in an order that can be paged.

Vectors from packs are searched by their codes first (quantized_shard.py), the others exactly.

An update builds the next state and swaps it in at the end. Searches need no lock: each keeps the
state it started with.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clipsearch.cpus import cpus
from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot import Snapshot
from clipsearch.index.reader.vector_queue import Plain, VectorQueue
from clipsearch.index.search.combination import Balance, Combination, balances_of
from clipsearch.index.search.flat_shard import FlatShard, Found, Vectors, appended, pruned
from clipsearch.index.search.quantized_shard import QuantizedShard, quantized_shards
from clipsearch.index.search.quantized_shard import pruned as pruned_quantized
from clipsearch.index.search.state import State

# Digits of a score. float32 holds 7. Rounding hides differences from the order of summation.
DIGITS = 6
# Extra candidates, to detect ties at the end of a page.
SPARE = 4
# More of them with unwanted terms, which push the best down. If MOST_CANDIDATES are not enough, all
# photos are scored: "car, not car" has no good candidates.
FACTOR_OF_UNWANTED = 4
MOST_CANDIDATES = 4096

Scores = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class Hit(NamedTuple):
    """One search result; `score` is the cosine or that of a Combination, rounded to 6 digits."""

    name: str
    score: float
    generation: int
    width: int
    height: int


class PhotoIndex:
    """A thread-safe search index of the photos of one SnapshotReader."""

    def __init__(self, threads: int | None = None) -> None:
        """`threads`: per search; cpus() by default."""
        self._threads = threads or cpus()
        # Starts its threads on first use, after the fork.
        self._pool = ThreadPoolExecutor(self._threads, "clipsearch-search")
        self._lock = threading.Lock()  # for update
        self._source = VectorQueue(era=-1)
        self._flat: Sequence[FlatShard] = ()  # built by update; searches use _state
        self._quantized: Sequence[QuantizedShard] = ()
        self._state = State(Catalogue.empty(), (), ())

    def update(self, snapshot: Snapshot) -> None:
        """Switch to this snapshot, unless the index already has a newer one.

        Takes the vectors that are new since the last call. Raises ValueError if the snapshot is
        from a different reader.
        """
        with self._lock:
            source, catalogue = snapshot.fresh, snapshot.catalogue
            if source is self._source:
                if catalogue.version <= self._state.catalogue.version:
                    return
            elif source.era < self._source.era:
                return
            elif source.era == self._source.era:
                raise ValueError("the snapshot is from another reader; use one index per reader")
            else:  # the reader has started over
                self._source, self._flat, self._quantized = source, (), ()
            self._take(source, catalogue.live)
            self._flat = pruned(self._flat, catalogue.live)
            self._quantized = pruned_quantized(self._quantized, catalogue.live)
            state = State(catalogue, self._flat, self._quantized)
            if sum(shard.live for shard in state.all_shards) != snapshot.photos:
                raise ValueError("another index took vectors of the reader; use one per reader")
            self._state = state

    def _take(self, source: VectorQueue, live: npt.NDArray[np.bool_]) -> None:
        while chunk := source.next(len(live)):
            if isinstance(chunk, Plain):
                self._flat = appended(self._flat, chunk.rows, chunk.vectors, live)
            else:
                new = quantized_shards(chunk, self._threads)
                self._quantized = [*self._quantized, *new]
            source.taken()  # one by one, so that no vector is in memory twice

    def search(
        self,
        wanted: Vectors | Combination,
        limit: int,
        after: tuple[float, str] | None = None,
    ) -> list[Hit]:
        """The `limit` photos most like a vector (d,) or terms, by descending score, then by name.

        `after`: score and name of the last hit of the previous page. Pages with `after` are exact.
        The first page may miss a photo if the index has packs. Its hits are in order, and the next
        pages return everything after its last hit.
        Raises ValueError for an invalid vector or limit.
        """
        state = self._state
        terms = wanted if isinstance(wanted, Combination) else None
        vector = wanted.wanted if isinstance(wanted, Combination) else wanted
        query = _checked(state, vector, limit)
        k = limit + SPARE if after is None else 8 * limit  # one pass for the first few pages
        if terms and len(terms.unwanted):
            k *= FACTOR_OF_UNWANTED
        exactly = after is not None
        while True:
            if terms and len(terms.unwanted):
                scores, rows, unseen = self._lowered(state, terms, query, k, exactly)
            else:
                scores, rows, unseen = self._candidates(state, query, k, exactly)
            certain = scores > unseen
            if after is not None:
                certain &= _come_after(after, scores, rows, state.catalogue)
            if unseen == -np.inf or np.count_nonzero(certain) >= limit:
                return _best(scores[certain], rows[certain], limit, state.catalogue)
            k, exactly = 4 * k, True

    def _lowered(
        self, state: State, terms: Combination, query: Vectors, k: int, exactly: bool
    ) -> tuple[Scores, Rows, float]:
        """Same as _candidates, with unwanted terms. They only lower, so the bound stays one."""
        if k > MOST_CANDIDATES:
            exact, rows = state.scores(terms)
            return exact.astype(np.float64).round(DIGITS) + 0.0, rows, -np.inf
        scores, rows, unseen = self._candidates(state, query, k, exactly)
        return (scores - state.penalties(terms, rows)).round(DIGITS) + 0.0, rows, unseen

    def _candidates(
        self, state: State, query: Vectors, k: int, exactly: bool
    ) -> tuple[Scores, Rows, float]:
        """Scores and rows of the best k of each shard, and an upper bound of all other scores.

        The bound is -inf if no other photo exists.
        """
        live = state.catalogue.live
        work: list[Callable[[], Found]] = [
            partial(shard.best, query, k) if exactly else partial(shard.nearly_best, query, k, live)
            for shard in state.quantized
        ]
        # This thread searches the first shard itself, because it would otherwise wait.
        others = [self._pool.submit(call) for call in work[1:]]
        found = [call() for call in work[:1]]
        found += [shard.best(query, k) for shard in state.flat]
        found[1:1] = [other.result() for other in others]
        unseen, parts = -np.inf, []
        for shard, (scores, rows) in zip(state.all_shards, found, strict=True):
            told = rounded(scores)
            parts.append((told, rows))
            if len(rows) == k < shard.live:
                unseen = max(unseen, float(told[-1]))
        if not parts:
            return np.zeros(0), np.zeros(0, np.int64), unseen
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), unseen

    def quantized(self, limit: int) -> int:
        """How many photos a first page of `limit` searches by codes. All others (in a small
        index, all photos) are searched exactly."""
        return sum(shard.live for shard in self._state.quantized if shard.scans(limit + SPARE))

    @property
    def shards(self) -> list[FlatShard | QuantizedShard]:
        """The shards that a search uses now; quantized shards come first."""
        return self._state.all_shards

    def vector_of(self, name: str) -> Vectors:
        """The vector (d,) of an indexed photo; raises PhotoNotIndexed."""
        state = self._state
        row = state.catalogue.row_of(name)
        if row is not None:
            for shard in state.all_shards:
                for vector in shard.vectors_of(np.array([row]))[1]:
                    return np.array(vector)
        raise PhotoNotIndexed(name)

    @property
    def sample(self) -> npt.NDArray[np.float32]:
        """(n, d): vectors of up to SAMPLE photos, the same in every instance; all of a small
        library."""
        return self._state.sample

    def combination(
        self,
        terms: Vectors,
        weights: Sequence[float],
        balances: Sequence[Balance] = (),
    ) -> Combination:
        """Several terms as one query of search().

        `terms` (t, d) of length 1 each, `weights` (t,), negative for unwanted terms. `balances`:
        those of the page before, because the sample may have changed; by default of the sample.
        """
        return Combination.of(terms, weights, balances or balances_of(terms, self._state.sample))


def _checked(state: State, vector: Vectors, limit: int) -> Vectors:
    shards = state.all_shards
    expected = (shards[0].dimension,) if shards else vector.shape
    if vector.ndim != 1 or vector.shape != expected or not np.isfinite(vector).all():
        raise ValueError(f"a query is {expected} finite numbers, not {vector.shape}: {vector!r}")
    if limit < 1:
        raise ValueError(f"the limit must be at least 1, not {limit!r}")
    return np.ascontiguousarray(vector, np.float32)


def rounded(scores: Vectors) -> Scores:
    """Scores of any shape, rounded to DIGITS digits and limited to [-1, 1]."""
    # + 0.0 turns -0.0 into 0.0, which is equal but prints differently.
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
        enough = scores >= np.partition(scores, -limit)[-limit]  # includes all ties of the last
        scores, rows = scores[enough], rows[enough]
    entries = catalogue.rows
    facts = (entries.generations[rows], entries.widths[rows], entries.heights[rows])
    names = map(entries.name, rows.tolist())
    columns = zip(names, scores.tolist(), *(f.tolist() for f in facts), strict=True)
    return sorted(itertools.starmap(Hit, columns), key=lambda hit: (-hit.score, hit.name))[:limit]

"""Searches a snapshot by inner product with FAISS, in an order that can be paged.

Vectors from packs are searched by their codes first (quantized_shard.py, and bucket_shard.py if
their rows stay in the bucket), the others exactly.

An update builds the next state and swaps it in at the end. Searches need no lock: each keeps the
state it started with.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from clipsearch.cpus import cpus
from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot import Snapshot
from clipsearch.index.reader.stored_rows import StoredRows
from clipsearch.index.reader.vector_queue import Plain, VectorQueue
from clipsearch.index.search import candidates
from clipsearch.index.search.bucket_shard import BucketShard, grown
from clipsearch.index.search.bucket_shard import pruned as pruned_stored
from clipsearch.index.search.combination import Balance, Combination, balances_of
from clipsearch.index.search.facets import Facets
from clipsearch.index.search.filter import ALL, Filter
from clipsearch.index.search.flat_shard import FlatShard, Rows, Vectors, appended, pruned, without
from clipsearch.index.search.hits import Hit, Listed, found
from clipsearch.index.search.in_memory import InMemory
from clipsearch.index.search.kept import Kept
from clipsearch.index.search.matching import BEST, Matching
from clipsearch.index.search.order import first_by_date
from clipsearch.index.search.quantized_shard import QuantizedShard, quantized_shards
from clipsearch.index.search.quantized_shard import pruned as pruned_quantized
from clipsearch.index.search.ranking import SPARE, Ranking
from clipsearch.index.search.state import State


class PhotoIndex(InMemory):
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
        self._stored: Sequence[BucketShard] = ()
        self._rows = 0  # that were taken
        self._names = Kept()
        self._state = State.of(Catalogue.empty(), (), (), self._names)

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
                self._source, self._rows = source, 0
                self._flat, self._quantized, self._stored = (), (), ()
                self._names = Kept()
            self._take(source, catalogue.live)
            self._flat = pruned(self._flat, catalogue.live)
            self._quantized = pruned_quantized(self._quantized, catalogue.live)
            self._stored = pruned_stored(self._stored, catalogue.live)
            of_packs: list[QuantizedShard | BucketShard] = [*self._stored, *self._quantized]
            state = State.of(catalogue, self._flat, of_packs, self._names)
            if sum(shard.live for shard in state.all_shards) != snapshot.photos:
                raise ValueError("another index took vectors of the reader; use one per reader")
            self._state = state

    def _take(self, source: VectorQueue, live: npt.NDArray[np.bool_]) -> None:
        while chunk := source.next(len(live)):
            self._give_up(chunk.rows, live)
            if isinstance(chunk, Plain):
                self._flat = appended(self._flat, chunk.rows, chunk.vectors, live)
            elif isinstance(chunk.vectors, StoredRows):
                self._stored = grown(self._stored, chunk, self._threads, live)
            else:
                new = quantized_shards(chunk, self._threads)
                self._quantized = [*self._quantized, *new]
            source.taken()  # one by one, so that no vector is in memory twice

    def _give_up(self, rows: Rows, live: npt.NDArray[np.bool_]) -> None:
        """Take those of `rows` (m,) that are in a shard out of it: they have moved."""
        moved = rows[(rows >= 0) & (rows < self._rows)]
        self._rows = max(self._rows, int(rows.max()) + 1)
        if not len(moved):
            return
        gone = np.zeros(len(live), bool)
        gone[moved] = True
        self._flat = without(self._flat, gone, live)
        self._quantized = [shard.without(gone, live) for shard in self._quantized]
        left = (shard.without(gone, live) for shard in self._stored)
        self._stored = [shard for shard in left if shard is not None]

    def search(
        self,
        wanted: Vectors | Combination,
        limit: int,
        after: tuple[float, str] | None = None,
        filter: Filter = ALL,
        exactly: bool = False,
    ) -> list[Hit]:
        """The `limit` photos most like a vector (d,) or terms, by descending score, then by name.

        Only photos that fit `filter`. `after`: score and name of the last hit of the previous page.
        Pages with `after` are exact, and those with `exactly`. Others may miss a photo if the index
        has packs. Their hits are in order, and the next pages return everything after the last, or
        at least of the photos that are compared (most_compared).
        Raises ValueError for an invalid vector or limit.
        """
        state = self._state
        scores, rows = self._ranking(state, wanted, filter).best(limit, after, exactly)
        return found(state, rows, scores.tolist())

    def matching(
        self, wanted: Vectors | Combination, least: float | None, filter: Filter = ALL
    ) -> Matching:
        """All photos that score at least `least`, exactly; None: the BEST best. See most_compared.

        For their order by date and their facets. Raises ValueError for an invalid vector.
        """
        state = self._state
        ranking = self._ranking(state, wanted, filter)
        if least is None:
            return Matching(state, *ranking.best(BEST, exactly=True))
        return Matching(state, *ranking.at_least(least))

    def newest(
        self,
        limit: int,
        after: tuple[int, str] | None = None,
        filter: Filter = ALL,
        oldest: bool = False,
    ) -> list[Listed]:
        """The `limit` newest (or oldest) photos that fit, without a score; equal dates by name.

        `after`: date and name of the last hit of the previous page.
        """
        state = self._state
        rows = np.flatnonzero(state.mask(filter))
        rows = rows[first_by_date(state.columns, rows, limit, after, oldest)]
        return found(state, rows, itertools.repeat(None, len(rows)))

    def count(self, filter: Filter = ALL) -> int:
        """How many photos fit."""
        return int(np.count_nonzero(self._state.mask(filter)))

    def facets(self, filter: Filter = ALL) -> Facets:
        """How many photos fit, and how many there are of each month, folder, format and so on."""
        return self._state.facets(filter)

    def _ranking(self, state: State, wanted: Vectors | Combination, filter: Filter) -> Ranking:
        vector = wanted.wanted if isinstance(wanted, Combination) else wanted
        shards = state.all_shards
        expected = (shards[0].dimension,) if shards else vector.shape
        if vector.ndim != 1 or vector.shape != expected or not np.isfinite(vector).all():
            raise ValueError(
                f"a query is {expected} finite numbers, not {vector.shape}: {vector!r}"
            )
        return Ranking.of(state.within(filter), self._pool, wanted)

    def quantized(self, limit: int) -> int:
        """How many photos a first page of `limit` searches by codes. All others (in a small
        index, all photos) are searched exactly."""
        return sum(shard.live for shard in self._state.quantized if shard.scans(limit + SPARE))

    @property
    def most_compared(self) -> int | None:
        """How many photos of packs a search finds at most; None: all."""
        return candidates.MOST_IN_BUCKET if self._state.stored else None

    def compares_all(self, filter: Filter = ALL) -> bool:
        """Whether a search finds all photos that fit: see most_compared."""
        return not any(shard.is_limited for shard in self._state.within(filter).stored)

    @property
    def shards(self) -> list[FlatShard | QuantizedShard | BucketShard]:
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

    def vectors_of(self, rows: Rows) -> Vectors:
        """(m, d) of photos in `rows` (m,) of the catalogue that update() was last given."""
        return self._state.vectors_of(rows)

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

"""Bucket shards: codes in memory select candidates, whose rows are read from the bucket.

The methods are those of QuantizedShard, but none compares more than candidates.MOST_IN_BUCKET
photos. A search finds no photo behind them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import faiss
import numpy as np

from clipsearch.index.format.quantizer import Quantizer
from clipsearch.index.reader.stored_rows import StoredRows, joined
from clipsearch.index.reader.vector_queue import Packed
from clipsearch.index.search import candidates
from clipsearch.index.search.codes import Scan, seen_as_index
from clipsearch.index.search.flat_shard import Found, Live, Rows, Vectors
from clipsearch.index.search.quantized_shard import LONGER, WORTH_A_THREAD

# Live codes that are scored one by one: up to 40 ms. More are scanned with all others.
SCORED = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """The packs of one refresh: m vectors in `stored`, their `rows` (m,) of the catalogue, -1 for
    none, and their codes in `scans`, one after the other."""

    rows: Rows
    stored: StoredRows
    scans: tuple[Scan, ...]

    @classmethod
    def of(cls, packed: Packed, threads: int) -> Unit:
        assert isinstance(packed.vectors, StoredRows)
        count = max(1, min(threads, len(packed.rows) // WORTH_A_THREAD))
        parts = np.array_split(packed.codes, count)
        with ThreadPoolExecutor(count, "clipsearch-codes") as pool:
            scans = tuple(pool.map(lambda part: Scan.of(packed.quantizer, part), parts))
        return cls(packed.rows, packed.vectors, scans)


@dataclass(frozen=True, slots=True, eq=False)
class BucketShard:
    """All vectors of one quantizer whose rows stay in the bucket.

    `rows` (m,), `stored` (m,): of all units. `by_row` (m,): the places in the order of their rows.
    `mask` (n,): which rows of the catalogue count. `live`: how many of the m count.
    """

    units: tuple[Unit, ...]
    quantizer: Quantizer
    rows: Rows
    by_row: Rows
    stored: StoredRows
    mask: Live
    live: int

    @classmethod
    def of(cls, units: Sequence[Unit], quantizer: Quantizer, mask: Live) -> BucketShard:
        rows = np.concatenate([unit.rows for unit in units])
        stored = joined([unit.stored for unit in units])
        order = np.argsort(rows, kind="stable")
        return cls(tuple(units), quantizer, rows, order, stored, mask, 0).within(mask)

    @property
    def dimension(self) -> int:
        return self.stored.dimension

    def within(self, mask: Live) -> BucketShard:
        """The shard limited to rows that are true in any `mask` (n,)."""
        live = int(np.count_nonzero(mask[self.rows] & (self.rows >= 0)))
        return replace(self, mask=mask, live=live)

    def without(self, gone: Live, live: Live) -> BucketShard | None:
        """The shard without the rows that are true in `gone` (n,): other shards have them now.

        Drops units of which nothing is left; None if that is all of them."""
        units = []
        for unit in self.units:
            rows = np.where((unit.rows >= 0) & gone[unit.rows], -1, unit.rows)
            if (live[rows] & (rows >= 0)).any():
                units.append(replace(unit, rows=rows))
        return BucketShard.of(units, self.quantizer, live) if units else None

    def best(self, query: Vectors, k: int) -> Found:
        """Scores (j,) and rows (j,) of the best for `query` (d,) of all candidates; j <= k."""
        return self._found(query, k, candidates.MOST_IN_BUCKET)

    def nearly_best(self, query: Vectors, k: int, live: Live) -> Found:
        """Like best(), but compares fewer candidates where that is enough."""
        return self._found(query, k, candidates.first_number(k))

    def scans(self, k: int) -> bool:
        return True

    def above(self, query: Vectors, bound: float) -> Found:
        """Scores (j,) and rows (j,) of the candidates with a score above `bound`."""
        scores, rows = self.best(query, candidates.MOST_IN_BUCKET)
        return scores[scores > bound], rows[scores > bound]

    @property
    def is_limited(self) -> bool:
        """Whether some that count are no candidates."""
        return self.live > candidates.MOST_IN_BUCKET

    def is_cut(self, found: int) -> bool:
        """Whether above() may have missed photos: it found as many as are compared."""
        return self.is_limited and found >= candidates.MOST_IN_BUCKET

    def _found(self, query: Vectors, k: int, first: int) -> Found:
        reach = 0

        def lengthened(places: Rows, number: int) -> Rows:
            nonlocal reach
            if self.live <= SCORED:
                return places if len(places) else self._scored(query)
            while len(places) < number and reach < len(self.rows):
                reach = max(LONGER * reach, number * len(self.rows) // self.live)
                places = self._longer(places, query, reach)
            return places

        def compared(places: Rows) -> Found:
            faiss.omp_set_num_threads(1)  # see FlatShard.best
            block = seen_as_index(vectors := self.stored.take(places))
            scores, order = block.search(query[None], min(k, len(vectors)))
            return scores[0], order[0]

        most = min(candidates.MOST_IN_BUCKET, self.live)
        found = candidates.nearly_best(k, min(first, most), most, lengthened, compared)
        assert found is not None
        return found[0], self.rows[found[1]]

    def _parts(self) -> Iterator[tuple[int, Scan]]:
        """Each scan, and the place where it begins."""
        scans = list(itertools.chain.from_iterable(unit.scans for unit in self.units))
        begins = itertools.accumulate((len(scan) for scan in scans[:-1]), initial=0)
        yield from zip(begins, scans, strict=True)

    def _scored(self, query: Vectors) -> Rows:
        """The places of all that count, best codes first."""
        places = np.flatnonzero(self.mask[self.rows] & (self.rows >= 0))
        scores = [np.zeros(0, np.float32)]
        for begin, scan in self._parts():
            here = places[(places >= begin) & (places < begin + len(scan))]
            scores.append(scan.scores(query, here - begin))
        return places[np.argsort(-np.concatenate(scores), kind="stable")]

    def _longer(self, places: Rows, query: Vectors, reach: int) -> Rows:
        """The list `places`, and those that count of the best `reach` codes after it."""

        def search(part: tuple[int, Scan]) -> Found:
            begin, scan = part
            faiss.omp_set_num_threads(1)
            scores, found = scan.index.search(query[None], min(reach, len(scan)))
            return scores[0], np.where(found[0] >= 0, found[0] + begin, -1)

        found = list(self.stored.store.pool.map(search, self._parts()))
        scores, listed = (np.concatenate(column) for column in zip(*found, strict=True))
        listed = listed[np.argsort(-scores, kind="stable")[:reach]]
        listed = listed[listed >= 0]
        rows = self.rows[listed]
        listed = listed[(rows >= 0) & self.mask[rows]]
        if len(places):
            listed = listed[~np.isin(listed, places, kind="table")]
        return np.append(places, listed)

    def vectors_of(self, rows: Rows) -> tuple[Rows, Vectors]:
        """Which of `rows` (m,), ascending, are here: (j,) ascending and their vectors (j, d)."""
        at = np.searchsorted(self.rows, rows, sorter=self.by_row)
        at[at == len(self.rows)] = 0
        places = self.by_row[at]
        places = places[self.rows[places] == rows]
        return self.rows[places], self.stored.take(places).astype(np.float32)

    def blocks(self, mask: Live, size: int) -> Iterator[tuple[Rows, Vectors]]:
        """The rows that are true in `mask` (n,) and their vectors, up to `size` at a time."""
        places = np.flatnonzero(mask[self.rows] & (self.rows >= 0))
        for begin in range(0, len(places), size):
            part = places[begin : begin + size]
            yield self.rows[part], self.stored.take(part).astype(np.float32)


def grown(
    shards: Sequence[BucketShard], packed: Packed, threads: int, mask: Live
) -> list[BucketShard]:
    """The shards with more packs; `mask` (n,): the catalogue's. One shard for each quantizer, so
    that their candidates compete."""
    unit = Unit.of(packed, threads)
    result = list(shards)
    for number, shard in enumerate(result):
        if _is_same(shard.quantizer, packed.quantizer) and shard.stored.store is unit.stored.store:
            result[number] = BucketShard.of([*shard.units, unit], shard.quantizer, mask)
            return result
    return [*result, BucketShard.of([unit], packed.quantizer, mask)]


def pruned(shards: Sequence[BucketShard], live: Live) -> list[BucketShard]:
    """The shards masked by `live` (n,), without those that have no live rows."""
    return [masked for shard in shards if (masked := shard.within(live)).live]


def _is_same(one: Quantizer, other: Quantizer) -> bool:
    """Whether scores of their codes can be compared."""
    return np.array_equal(one.basis, other.basis) and np.array_equal(one.points, other.points)

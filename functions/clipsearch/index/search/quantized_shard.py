"""Quantized shards: select candidates by 4-bit codes and sort them by float16 vectors.

FlatShard has the same methods with exact search.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import faiss
import numpy as np
import numpy.typing as npt

from clipsearch.index.reader.vector_queue import Packed
from clipsearch.index.search import candidates
from clipsearch.index.search.codes import Scan, seen_as_index
from clipsearch.index.search.flat_shard import Found, Live, Rows, Vectors, selection_of

FIRST_ABOVE = 4096  # a search for so many is nearly as fast as for one
# A candidate takes as long as eight vectors in a row, because it is anywhere in memory.
ROWS_PER_CANDIDATE = 8
LONGER = 4  # times as long as the list before: listing costs less than another scan
BLOCK = 640  # vectors compared at a time, at least: 0.7 MB at 512 numbers
# Vectors per thread, at least: waking a thread takes about 50 µs.
WORTH_A_THREAD = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedShard:
    """m vectors of packs and their rows (m,) of the catalogue, -1 for none.

    `by_row` (m,): the places in the order of their rows, for vectors_of.
    `exact`: a FAISS view of `vectors` (m, d). `scan`: finds candidates by their codes. `live`: how
    many of the m count.
    """

    rows: Rows
    by_row: Rows
    vectors: npt.NDArray[np.float16]
    exact: faiss.IndexScalarQuantizer
    scan: Scan
    live: int
    selection: faiss.SearchParameters | None = None

    @property
    def dimension(self) -> int:
        return int(self.exact.d)

    def masked(self, live: Live) -> QuantizedShard:
        """The shard limited to rows that are true in `live` (n,), the catalogue's mask."""
        counts = live[self.rows] & (self.rows >= 0)
        count = int(np.count_nonzero(counts))
        if count == self.live:  # dead rows stay dead, so an equal count is an equal mask
            return self
        return self.within(live)

    def within(self, mask: Live) -> QuantizedShard:
        """The shard limited to rows that are true in any `mask` (n,)."""
        counts = mask[self.rows] & (self.rows >= 0)
        live = int(np.count_nonzero(counts))
        return replace(self, live=live, selection=selection_of(counts))

    def without(self, gone: Live, live: Live) -> QuantizedShard:
        """The shard without the rows that are true in `gone` (n,): other shards have them now."""
        rows = np.where((self.rows >= 0) & gone[self.rows], -1, self.rows)
        shard = replace(self, rows=rows, by_row=np.argsort(rows, kind="stable"))
        return shard.within(live)

    def best(self, query: Vectors, k: int) -> Found:
        """Scores (j,) and rows (j,) of the j = min(k, live) best for `query` (d,)."""
        faiss.omp_set_num_threads(1)  # see FlatShard.best
        scores, places = self.exact.search(query[None], min(k, self.live), params=self.selection)
        found = places[0] >= 0
        return scores[0][found], self.rows[places[0][found]]

    def nearly_best(self, query: Vectors, k: int, live: Live) -> Found:
        """Like best(), with the same scores, but may miss some of the best."""
        faiss.omp_set_num_threads(1)  # see FlatShard.best
        first, reach = candidates.first_number(k), 0

        def lengthened(places: Rows, number: int) -> Rows | None:
            nonlocal reach
            while True:
                if number > self.live // ROWS_PER_CANDIDATE or reach > len(self.rows) // 2:
                    return None  # an exact search is as fast
                if number <= len(places):
                    return places
                reach = max(LONGER * reach, number * len(self.rows) // self.live)
                places = self._longer(places, query, reach, live)

        found = candidates.nearly_best(
            k,
            first,
            max(first, candidates.MOST),
            lengthened,
            lambda places: self._compared(query, places, k),
        )
        return self.best(query, k) if found is None else (found[0], self.rows[found[1]])

    def scans(self, k: int) -> bool:
        """Whether nearly_best(k) uses codes. With few live vectors, an exact search is faster."""
        return candidates.first_number(k) <= self.live // ROWS_PER_CANDIDATE

    def _longer(self, places: Rows, query: Vectors, reach: int, live: Live) -> Rows:
        """The list `places` of candidates, and those after it, of the best `reach` by their codes.

        It has only those that count. Equal codes come in any order, so two lists of different
        lengths do not begin alike.
        """
        listed = self.scan.index.search(query[None], min(reach, len(self.rows)))[1][0]
        listed = listed[listed >= 0]
        rows = self.rows[listed]
        listed = listed[(rows >= 0) & live[rows]]
        if len(places):
            listed = listed[~np.isin(listed, places, kind="table")]
        return np.append(places, listed)

    def _compared(self, query: Vectors, places: Rows, k: int) -> Found:
        """Scores (j,), as of best(), and indices (j,) of `places`: the best k of each block."""
        size = min(len(places), max(BLOCK, 4 * k))
        block = np.empty((size, self.dimension), np.float16)
        seen, scores, indices = seen_as_index(block), [], []
        for begin in range(0, len(places), size):
            part = places[begin : begin + size]
            # With "clip", NumPy needs no second copy.
            np.take(self.vectors, part, axis=0, out=block[: len(part)], mode="clip")
            seen.ntotal = len(part)
            found, order = seen.search(query[None], min(k, len(part)))
            scores.append(found[0])
            indices.append(begin + order[0])
        return np.concatenate(scores), np.concatenate(indices)

    def above(self, query: Vectors, bound: float) -> Found:
        """Scores (j,) and rows (j,) of all that count with a score above `bound`.

        range_search takes 1.2 µs a vector, this 0.05 to 0.3 µs.
        """
        k = FIRST_ABOVE
        while True:
            scores, rows = self.best(query, k)
            if len(rows) < k or scores[-1] <= bound:
                return scores[scores > bound], rows[scores > bound]
            k *= 16

    def vectors_of(self, rows: Rows) -> tuple[Rows, Vectors]:
        """Which of `rows` (m,), ascending, are here: (j,) ascending and their vectors (j, d)."""
        at = np.searchsorted(self.rows, rows, sorter=self.by_row)
        at[at == len(self.rows)] = 0
        places = self.by_row[at]
        places = places[self.rows[places] == rows]
        return self.rows[places], self.vectors[places].astype(np.float32)

    def blocks(self, mask: Live, size: int) -> Iterator[tuple[Rows, Vectors]]:
        """The rows that are true in `mask` (n,) and their vectors, up to `size` at a time."""
        places = np.flatnonzero(mask[self.rows] & (self.rows >= 0))
        for begin in range(0, len(places), size):
            part = places[begin : begin + size]
            yield self.rows[part], self.vectors[part].astype(np.float32)


def quantized_shards(packed: Packed, threads: int) -> list[QuantizedShard]:
    """Split into up to `threads` shards of WORTH_A_THREAD or more vectors (at least one shard)."""
    count = max(1, min(threads, len(packed.rows) // WORTH_A_THREAD))
    ends = np.linspace(0, len(packed.rows), count + 1).astype(int).tolist()
    with ThreadPoolExecutor(count, "clipsearch-quantized") as pool:
        parts = [slice(begin, end) for begin, end in itertools.pairwise(ends)]
        return list(pool.map(lambda part: _shard(packed, part), parts))


def _shard(packed: Packed, part: slice) -> QuantizedShard:
    assert isinstance(packed.vectors, np.ndarray)
    vectors, rows = packed.vectors[part], packed.rows[part]
    exact = seen_as_index(vectors)
    return QuantizedShard(
        rows=rows,
        by_row=np.argsort(rows, kind="stable"),  # fast: they are nearly sorted
        vectors=vectors,
        exact=exact,
        scan=Scan.of(packed.quantizer, packed.codes[part]),
        live=len(rows),
    )


def pruned(shards: Sequence[QuantizedShard], live: Live) -> list[QuantizedShard]:
    """The shards masked by `live` (n,), without those that have no live rows."""
    return [masked for shard in shards if (masked := shard.masked(live)).live]

"""Quantized shards: select candidates by 4-bit codes and sort them by float16 vectors.

FlatShard has the same methods with exact search.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from clipsearch.index.format.quantizer import GROUP
from clipsearch.index.reader.vector_queue import Packed
from clipsearch.index.search import candidates
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
    scan: faiss.IndexPreTransform
    parts: tuple[object, ...]  # keeps the parts of `scan` alive; it does not own them
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

    def best(self, query: Vectors, k: int) -> Found:
        """Scores (j,) and rows (j,) of the j = min(k, live) best for `query` (d,)."""
        faiss.omp_set_num_threads(1)  # see FlatShard.best
        scores, places = self.exact.search(query[None], min(k, self.live), params=self.selection)
        found = places[0] >= 0
        return scores[0][found], self.rows[places[0][found]]

    def nearly_best(self, query: Vectors, k: int, live: Live) -> Found:
        """Like best(), with the same scores, but may miss some of the best."""
        faiss.omp_set_num_threads(1)  # see FlatShard.best
        number = candidates.first_number(k)
        most = max(number, candidates.MOST)
        places, reach, compared = np.zeros(0, np.int64), 0, 0
        scores, ranks = np.zeros(0, np.float32), np.zeros(0, np.int64)
        while True:
            if number > self.live // ROWS_PER_CANDIDATE or reach > len(self.rows) // 2:
                return self.best(query, k)  # as fast from here on
            if number > len(places):
                reach = max(LONGER * reach, number * len(self.rows) // self.live)
                places = self._longer(places, query, reach, live)
                continue
            found, order = self._compared(query, places[compared:number], k)
            scores, ranks = np.append(scores, found), np.append(ranks, compared + order)
            best = np.argsort(-scores, kind="stable")[:k]
            scores, ranks, compared = scores[best], ranks[best], number
            if candidates.are_enough(ranks, number) or 2 * number > most:
                return scores, self.rows[places[ranks]]
            number *= 2

    def scans(self, k: int) -> bool:
        """Whether nearly_best(k) uses codes. With few live vectors, an exact search is faster."""
        return candidates.first_number(k) <= self.live // ROWS_PER_CANDIDATE

    def _longer(self, places: Rows, query: Vectors, reach: int, live: Live) -> Rows:
        """The list `places` of candidates, and those after it, of the best `reach` by their codes.

        It has only those that count. Equal codes come in any order, so two lists of different
        lengths do not begin alike.
        """
        listed = self.scan.search(query[None], min(reach, len(self.rows)))[1][0]
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
        seen, scores, indices = _seen_as_index(block), [], []
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
    vectors, rows = packed.vectors[part], packed.rows[part]
    exact = _seen_as_index(vectors)
    basis, points = packed.quantizer.for_queries()
    turn, codes = _turn(basis), _coded(points, packed.codes[part])
    return QuantizedShard(
        rows=rows,
        by_row=np.argsort(rows, kind="stable"),  # fast: they are nearly sorted
        vectors=vectors,
        exact=exact,
        scan=faiss.IndexPreTransform(turn, codes),
        parts=(turn, codes),
        live=len(rows),
    )


def _seen_as_index(vectors: npt.NDArray[np.float16]) -> faiss.IndexScalarQuantizer:
    """A FAISS index over this memory, without a copy: it may be 1 GB. Keep the array alive."""
    index = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    _let_see(index, vectors.view(np.uint8))
    return index


def _let_see(index: Any, codes: npt.NDArray[np.uint8]) -> None:
    """Make `codes` (m, bytes) the content of an index, without a copy."""
    pointer = faiss.swig_ptr(codes.reshape(-1))
    index.codes.is_owned = False
    index.codes.view_data = index.codes.c_ptr = pointer
    index.codes.view_size = index.codes.c_size = codes.size
    index.ntotal = len(codes)


def _coded(points: Vectors, codes: npt.NDArray[np.uint8]) -> Any:
    """The FAISS index that scans `codes` for candidates."""
    index = faiss.IndexPQ(len(points) * GROUP, len(points), 4, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(points.reshape(-1), index.pq.centroids)
    index.is_trained = True
    _let_see(index, codes)
    result: Any = faiss.IndexPQFastScan(index)  # type: ignore[arg-type]
    result.orig_codes = None  # a pointer to `codes`, which are freed
    return result


def _turn(basis: Vectors) -> faiss.LinearTransform:
    """The transform of queries into the space of the codes."""
    turn = faiss.LinearTransform(basis.shape[1], basis.shape[0], False)
    faiss.copy_array_to_vector(np.ascontiguousarray(basis, np.float32).reshape(-1), turn.A)
    turn.is_trained = True
    return turn


def pruned(shards: Sequence[QuantizedShard], live: Live) -> list[QuantizedShard]:
    """The shards masked by `live` (n,), without those that have no live rows."""
    return [masked for shard in shards if (masked := shard.masked(live)).live]

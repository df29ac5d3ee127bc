# numpy and faiss at the top: import this module inside functions only, and never in ingest.
"""The trained part of the index: candidates by 4-bit codes, their true order by float16.

Texts lie far from photos: all text vectors share one direction, along which photos differ
little, so that the codes say little of it, and a score by codes alone is wrong for most texts.
Therefore each photo's product with that direction, `common`, is kept besides, in 8 bits. On
118,287 photos that makes recall@20 of 400 candidates 0.99 instead of 0.70.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from clipsearch.fresh_vectors import Packed
from clipsearch.quantizer import GROUP, POINTS, Quantizer
from clipsearch.shards import Found, Live, Rows, Vectors, selection_of

# Candidates for a search of k, by measurement (`make bench-index`). Of a shard that has only a
# part of the photos, nearly as many: whatever is alike may lie there.
CANDIDATES = 640
CANDIDATES_PER_HIT = 16
SHARE_OF_A_PART = 0.85
# Fewer than these are not worth a thread of their own: waking one takes some 50 µs.
WORTH_A_THREAD = 200_000

BLOCK = 8192  # vectors whose products are computed at a time: they are sorted, alas


@dataclass(frozen=True, slots=True, eq=False)
class TrainedShard:
    """m vectors of packs and the rows of the catalogue (m,) that they belong to, -1 for none.

    `exact` sees the memory of `vectors` (m, d) float16. `live`: how many of the m count.
    `share`: of the usual candidates.
    """

    rows: Rows
    vectors: npt.NDArray[np.float16]
    exact: faiss.IndexScalarQuantizer
    refined: faiss.IndexRefine
    parts: tuple[object, ...]  # of `refined`, which does not own them
    live: int
    share: float = 1.0
    selection: faiss.SearchParameters | None = None

    @property
    def dimension(self) -> int:
        return int(self.exact.d)

    def masked(self, live: Live) -> TrainedShard:
        """The same vectors, of which only those with `live` (n,) of the catalogue count."""
        counts = live[self.rows] & (self.rows >= 0)
        count = int(np.count_nonzero(counts))
        if count == self.live:  # what was dead stays dead
            return self
        return replace(self, live=count, selection=selection_of(counts))

    def best(self, query: Vectors, k: int) -> Found:
        """The scores (j,) and rows (j,) of the j = min(k, live) best for `query` (d,)."""
        faiss.omp_set_num_threads(1)  # see Shard.best
        scores, places = self.exact.search(query[None], min(k, self.live), params=self.selection)
        found = places[0] >= 0
        return scores[0][found], self.rows[places[0][found]]

    def nearly_best(self, query: Vectors, k: int, live: Live) -> Found:
        """The same, with the same scores, but some of the best may be missing."""
        faiss.omp_set_num_threads(1)
        wanted, candidates = self._wanted(k)
        if not self.scans(k):
            return self.best(query, k)
        parameters = faiss.IndexRefineSearchParameters()
        parameters.k_factor = candidates / wanted
        scores, places = self.refined.search(query[None], wanted, params=parameters)
        rows = self.rows[places[0]]
        counts = (rows >= 0) & live[rows] & (places[0] >= 0)
        if np.count_nonzero(counts) < min(k, self.live):
            return self.best(query, k)  # what is dead was alike
        return scores[0][counts][:k], rows[counts][:k]

    def scans(self, k: int) -> bool:
        """Whether nearly_best goes by the codes; a few photos are all compared, which is exact."""
        return self._wanted(k)[1] <= len(self.rows) // 8

    def _wanted(self, k: int) -> tuple[int, int]:
        """How many to ask for, so that `k` of them count, and how many candidates for that."""
        total = len(self.rows)
        wanted = min(total, k + k * (total - self.live) // max(1, self.live))  # some are dead
        return wanted, int(self.share * max(CANDIDATES, CANDIDATES_PER_HIT * wanted))

    def vector_of(self, row: int) -> Vectors | None:
        """(d,), or None if the row is not here."""
        places = np.flatnonzero(self.rows == row)
        return self.vectors[places[0]].astype(np.float32) if len(places) else None


def trained(packed: Packed, common: Vectors | None, threads: int) -> list[TrainedShard]:
    """As many shards as `threads` can search with profit. `common` (d,): of length 1."""
    count = max(1, min(threads, len(packed.rows) // WORTH_A_THREAD))
    ends = np.linspace(0, len(packed.rows), count + 1).astype(int).tolist()
    share = SHARE_OF_A_PART if count > 1 else 1.0
    with ThreadPoolExecutor(count, "clipsearch-trained") as pool:
        parts = [slice(begin, end) for begin, end in itertools.pairwise(ends)]
        return list(pool.map(lambda part: _shard(packed, part, common, share), parts))


def _shard(packed: Packed, part: slice, common: Vectors | None, share: float) -> TrainedShard:
    vectors, rows = packed.vectors[part], packed.rows[part]
    exact = _seen_as_index(vectors)
    along = _products(vectors, common) if common is not None else None
    scan = _scan(packed.quantizer, packed.codes[part], along)
    turn = _turn(packed.quantizer, common)
    base = faiss.IndexPreTransform(turn, scan)
    return TrainedShard(
        rows=rows,
        vectors=vectors,
        exact=exact,
        refined=faiss.IndexRefine(base, exact),
        parts=(base, turn, scan),
        live=len(rows),
        share=share,
    )


def _seen_as_index(vectors: npt.NDArray[np.float16]) -> faiss.IndexScalarQuantizer:
    """A FAISS index over this memory, which must stay: not a copy, for it may be 1 GB."""
    index = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    _let_see(index, vectors.view(np.uint8))
    return index


def _let_see(index: Any, codes: npt.NDArray[np.uint8]) -> None:
    """Make `codes` (m, bytes) the content of an index."""
    pointer = faiss.swig_ptr(codes.reshape(-1))
    index.codes.is_owned = False
    index.codes.view_data = index.codes.c_ptr = pointer
    index.codes.view_size = index.codes.c_size = codes.size
    index.ntotal = len(codes)


def _products(vectors: npt.NDArray[np.float16], direction: Vectors) -> Vectors:
    """(m,) of each vector with `direction` (d,)."""
    faiss.omp_set_num_threads(1)
    result = np.empty(len(vectors), np.float32)
    for begin in range(0, len(vectors), BLOCK):
        block = _seen_as_index(vectors[begin : begin + BLOCK])
        # All of them, in order; of what FAISS offers the quickest by far, and NumPy's float16
        # is slower still.
        products, places = block.search(direction[None], block.ntotal)
        result[begin + places[0]] = products[0]
    return result


def _scan(quantizer: Quantizer, codes: npt.NDArray[np.uint8], along: Vectors | None) -> Any:
    """What finds candidates. `along` (m,): the products with the common direction."""
    points = quantizer.points
    if along is None:
        codes = np.ascontiguousarray(codes[:, :-1])
    else:
        points = _with_products(codes, points, along)
    index = faiss.IndexPQ(len(points) * GROUP, len(points), 4, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(points.reshape(-1), index.pq.centroids)
    index.is_trained = True
    _let_see(index, codes)
    result: Any = faiss.IndexPQFastScan(index)  # type: ignore[arg-type]
    result.orig_codes = None  # they go away
    return result


def _with_products(codes: npt.NDArray[np.uint8], points: Vectors, along: Vectors) -> Vectors:
    """Two groups more: the higher and the lower half of a byte that tells the product.

    Writes the byte behind each code; returns all points.
    """
    low, high = (float(v) for v in (along.min(initial=1), along.max(initial=-1)))
    step = max(high - low, 1e-6) / 256
    codes[:, -1] = np.clip((along - low) / step, 0, 255)
    more = np.zeros((2, POINTS, GROUP), np.float32)
    more[0, :, 0] = step * np.arange(POINTS)
    more[1, :, 0] = low + step / 2 + POINTS * step * np.arange(POINTS)
    return np.concatenate([points, more])


def _turn(quantizer: Quantizer, common: Vectors | None) -> faiss.LinearTransform:
    """Queries into the space of the codes. (The offset is the same for all photos: left out.)"""
    matrix = quantizer.basis
    if common is not None:
        more = np.zeros((2 * GROUP, len(common)), np.float32)
        more[0] = more[GROUP] = common
        matrix = np.concatenate([matrix - np.outer(matrix @ common, common), more])
    turn = faiss.LinearTransform(matrix.shape[1], matrix.shape[0], False)
    faiss.copy_array_to_vector(np.ascontiguousarray(matrix, np.float32).reshape(-1), turn.A)
    turn.is_trained = True
    return turn


def pruned(shards: Sequence[TrainedShard], live: Live) -> list[TrainedShard]:
    """Without those of which nothing counts any more."""
    return [masked for shard in shards if (masked := shard.masked(live)).live]

"""Flat shards: immutable parts of the search index with exact search, merged as they grow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import faiss
import numpy as np
import numpy.typing as npt

# Limits the copy of one merge: 128 MB at 512 numbers per vector, about 50 ms.
MAX_VECTORS = 65_536

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Live = npt.NDArray[np.bool_]
Found = tuple[npt.NDArray[np.float32], Rows]  # scores, descending; rows of the catalogue


@dataclass(frozen=True, slots=True, eq=False)
class FlatShard:
    """m vectors and their rows (m,) of the catalogue, ascending.

    `live`: how many of them count. `selection`: limits FAISS to those; None if all count.
    """

    flat: faiss.IndexFlatIP
    rows: Rows
    live: int
    selection: faiss.SearchParameters | None = None

    @classmethod
    def of(cls, rows: Rows, vectors: Vectors) -> FlatShard:
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        return cls(flat, rows, len(rows))

    @property
    def dimension(self) -> int:
        return int(self.flat.d)

    def masked(self, live: Live) -> FlatShard:
        """The shard limited to rows that are true in `live` (n,), the catalogue's mask."""
        counts = live[self.rows]
        count = int(np.count_nonzero(counts))
        if count == self.live:  # dead rows stay dead, so an equal count is an equal mask
            return self
        return self.within(live)

    def within(self, mask: Live) -> FlatShard:
        """The shard limited to rows that are true in any `mask` (n,)."""
        counts = mask[self.rows]
        live = int(np.count_nonzero(counts))
        return replace(self, live=live, selection=selection_of(counts))

    def best(self, query: Vectors, k: int) -> Found:
        """Scores (j,) and rows (j,) of the j = min(k, live) best for `query` (d,)."""
        # Set per calling thread. Concurrent searches already fill the cores, and OpenMP threads
        # spin while they wait: on two busy cores a search took 20 ms instead of 2.4.
        faiss.omp_set_num_threads(1)
        scores, places = self.flat.search(query[None], min(k, self.live), params=self.selection)
        found = places[0] >= 0
        return scores[0][found], self.rows[places[0][found]]

    def above(self, query: Vectors, bound: float) -> Found:
        """Scores (j,) and rows (j,) of all that count with a score above `bound`, unordered."""
        faiss.omp_set_num_threads(1)
        _, scores, places = self.flat.range_search(query[None], bound, params=self.selection)
        return scores, self.rows[places]

    def vectors_of(self, rows: Rows) -> tuple[Rows, Vectors]:
        """Which of `rows` (m,), ascending, are here: (j,) and their vectors (j, d)."""
        places = np.searchsorted(self.rows, rows)
        places[places == len(self.rows)] = 0
        here = self.rows[places] == rows
        return rows[here], self.vectors()[places[here]]

    def blocks(self, mask: Live, size: int) -> Iterator[tuple[Rows, Vectors]]:
        """The rows that are true in `mask` (n,) and their vectors, up to `size` at a time."""
        places, vectors = np.flatnonzero(mask[self.rows]), self.vectors()
        for begin in range(0, len(places), size):
            part = places[begin : begin + size]
            yield self.rows[part], vectors[part]

    def vectors(self) -> Vectors:
        """(m, d), a view of FAISS's memory, valid while this shard exists."""
        m, d = self.flat.ntotal, self.flat.d
        view: Vectors = faiss.rev_swig_ptr(self.flat.get_xb(), m * d).reshape(m, d)
        return view


def appended(
    shards: Sequence[FlatShard], rows: Rows, vectors: Vectors, live: Live
) -> list[FlatShard]:
    """The shards with more vectors. Merges small shards at the end, and drops dead rows there.

    `live` (n,): the catalogue's mask. Works like a binary counter: each vector is copied about
    log2(MAX_VECTORS) times, and about as many shards are not full.
    """
    result = list(shards)
    rows, vectors = _ascending(rows, vectors)
    for begin in range(0, len(rows), MAX_VECTORS):
        end = begin + MAX_VECTORS
        result.append(FlatShard.of(rows[begin:end], vectors[begin:end]))
        while len(result) > 1 and _worth_merging(*result[-2:]):
            result[-2:] = [_kept(result[-2:], live)]
    return result


def pruned(shards: Sequence[FlatShard], live: Live) -> list[FlatShard]:
    """The shards masked by `live` (n,). Rebuilds shards that are less than half live."""
    result = []
    for shard in shards:
        masked = shard.masked(live)
        if masked.live < len(shard.rows) / 2:
            masked = _kept([shard], live)
        if masked.live:
            result.append(masked)
    return result


def without(shards: Sequence[FlatShard], gone: Live, live: Live) -> list[FlatShard]:
    """The shards without the rows that are true in `gone` (n,): other shards have them now."""
    return [_kept([s], live & ~gone) if gone[s.rows].any() else s for s in shards]


def selection_of(live: Live) -> faiss.SearchParameters:
    """FAISS search parameters that limit a search to the mask `live` (m,)."""
    bits = np.packbits(live, bitorder="little")
    # FAISS's Python layer accepts arrays and keywords that its type stubs lack.
    selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]
    return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]


def _worth_merging(left: FlatShard, right: FlatShard) -> bool:
    sizes = len(left.rows), len(right.rows)
    return sizes[0] <= sizes[1] and sum(sizes) <= MAX_VECTORS


def _kept(shards: Sequence[FlatShard], live: Live) -> FlatShard:
    """One shard with the live rows of several."""
    kept = [live[shard.rows] for shard in shards]
    rows = np.concatenate([shard.rows[keep] for shard, keep in zip(shards, kept, strict=True)])
    vectors = [shard.vectors()[keep] for shard, keep in zip(shards, kept, strict=True)]
    return FlatShard.of(*_ascending(rows, np.concatenate(vectors)))


def _ascending(rows: Rows, vectors: Vectors) -> tuple[Rows, Vectors]:
    """In the order of the rows. Usually they are in it, so nothing is copied."""
    if (np.diff(rows) > 0).all():
        return rows, vectors
    order = np.argsort(rows)
    return rows[order], vectors[order]

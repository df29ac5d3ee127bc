"""Ranks of the right answers, recall@k, and the overlap with exact search.

A rank is the number of wrong answers before the first right one. NOWHERE: not found.

Exact ranks follow the order of search: by rounded score, then by name. FAISS computes each score
on its own, as in search. So equal vectors have equal scores at any row, and search over float32
gives the same bits. The last bits of a numpy matrix product depend on the row and the processor.
"""

from __future__ import annotations

from collections.abc import Iterator

import faiss
import numpy as np
import numpy.typing as npt

from cli.common.progress import bar
from clipsearch.index.search.ranking import DIGITS, rounded

Vectors = npt.NDArray[np.float32]
Ranks = npt.NDArray[np.int64]

NOWHERE = np.iinfo(np.int64).max
BLOCK_SCORES = 8_000_000  # per block: 160 MB
TIE = 1.5 * 10**-DIGITS  # smaller differences of scores count as a tie


def recall(ranks: Ranks, k: int) -> float:
    """R@k: the share of queries with a right answer among the first k."""
    return float((ranks < k).mean())


def exact_ranks(queries: Vectors, gallery: Vectors, right: Ranks, order: Ranks) -> Ranks:
    """The rank (m,) of row `right` (m,) of the gallery for each query. `right` -1: NOWHERE.

    `order` (g,): the order of the gallery's rows with equal scores.
    """
    ranks = np.full(len(queries), NOWHERE)
    for part, scores in _scores(queries, gallery, "exact search", "captions"):
        wanted = np.maximum(right[part], 0)
        own = np.take_along_axis(scores, wanted[:, None], 1)
        before = (scores > own) | ((scores == own) & (order < order[wanted][:, None]))
        ranks[part] = np.where(right[part] >= 0, before.sum(1), NOWHERE)
    return ranks


def ranks_of_any(queries: Vectors, gallery: Vectors, owner: Ranks, asked: Ranks) -> Ranks:
    """The rank (q,) of the best right row of the gallery for each query.

    Row r is right for query i if `owner[r] == asked[i]`. Ties count as right: equal scores come
    from the same words.
    """
    ranks = np.empty(len(queries), np.int64)
    for part, scores in _scores(queries, gallery, "image to text", "photos"):
        is_right = owner == asked[part][:, None]
        best = np.where(is_right, scores, -np.inf).max(1, keepdims=True)
        ranks[part] = (scores > best).sum(1)
    return ranks


def overlap(
    queries: Vectors, gallery: Vectors, found: Ranks, depths: tuple[int, ...]
) -> dict[int, float]:
    """By k of `depths`: the share of the best k by exact search among the first k `found`.

    `found`: (m, ≥ k) rows of the gallery; -1: none. A row with the score of the k-th best counts.
    """
    shares: dict[int, list[npt.NDArray[np.float64]]] = {k: [] for k in depths}
    for part, scores in _scores(queries, gallery, "overlap", "captions"):
        there = found[part] >= 0
        scored = np.where(there, np.take_along_axis(scores, found[part], 1), -np.inf)
        for k in depths:
            best = min(k, len(gallery))
            least = np.partition(scores, -best, axis=1)[:, -best]
            is_right = scored[:, :best] >= least[:, None] - TIE
            shares[k].append(is_right.sum(1) / best)
    return {k: float(np.concatenate(parts).mean()) for k, parts in shares.items()}


def _scores(
    queries: Vectors, gallery: Vectors, what: str, unit: str
) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """Blocks of q queries, each with the rounded scores (q, g) of the whole gallery."""
    size = max(1, BLOCK_SCORES // max(1, len(gallery)))
    flat = faiss.IndexFlatIP(gallery.shape[1])
    flat.add(gallery)
    with bar(what, total=len(queries), unit=unit) as shown:
        for begin in range(0, len(queries), size):
            part = slice(begin, begin + size)
            yield part, rounded(_products(flat, queries[part]))
            shown.update(len(queries[part]))


def _products(flat: faiss.IndexFlatIP, queries: Vectors) -> Vectors:
    """Products (q, g) of the queries with all vectors of `flat`."""
    count = flat.ntotal
    asked = np.ascontiguousarray(queries)
    places = np.tile(np.arange(count, dtype=np.int64), (len(asked), 1))
    products = np.empty((len(asked), count), np.float32)
    flat.compute_distance_subset(  # type: ignore[attr-defined]  # not in the types of faiss
        len(asked),
        faiss.swig_ptr(asked),
        count,
        faiss.swig_ptr(products),
        faiss.swig_ptr(places),
    )
    return products

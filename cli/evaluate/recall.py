"""Ranks of what was looked for, and the share of those that are good enough.

A rank is the number of wrong ones before the first right one. NOWHERE: it cannot be found.
Exact ranks are in the order of search itself: by rounded score, then by name. FAISS computes each
score on its own, as it does in search, so equal vectors have equal scores wherever they stand, and
search over float32 gives the same scores bit by bit. A matrix product of numpy does not: its last
bits depend on a row's place and on the processor.
"""

from __future__ import annotations

from collections.abc import Iterator

import faiss
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from clipsearch.index.search.photo_index import DIGITS, rounded

Vectors = npt.NDArray[np.float32]
Ranks = npt.NDArray[np.int64]

NOWHERE = np.iinfo(np.int64).max
BLOCK_SCORES = 8_000_000  # computed at a time: 160 MB
TIE = 1.5 * 10**-DIGITS  # scores that differ by less are in no order


def recall(ranks: Ranks, k: int) -> float:
    """R@k: the share of queries that have a right answer among the first k."""
    return float((ranks < k).mean())


def exact_ranks(queries: Vectors, gallery: Vectors, right: Ranks, order: Ranks) -> Ranks:
    """(m,) the rank of row `right` (m,) of the gallery for each query; -1 is NOWHERE.

    `order` (g,): which comes first of the gallery's rows if scores are equal.
    """
    ranks = np.full(len(queries), NOWHERE)
    for part, scores in _scores(queries, gallery, "exact search", " captions"):
        wanted = np.maximum(right[part], 0)
        own = np.take_along_axis(scores, wanted[:, None], 1)
        before = (scores > own) | ((scores == own) & (order < order[wanted][:, None]))
        ranks[part] = np.where(right[part] >= 0, before.sum(1), NOWHERE)
    return ranks


def ranks_of_any(queries: Vectors, gallery: Vectors, owner: Ranks, asked: Ranks) -> Ranks:
    """(q,) the rank of the best right row of the gallery: right for query i is each row whose
    `owner` is `asked[i]`. Of equal scores the right one comes first: the same words are right."""
    ranks = np.empty(len(queries), np.int64)
    for part, scores in _scores(queries, gallery, "image to text", " photos"):
        is_right = owner == asked[part][:, None]
        best = np.where(is_right, scores, -np.inf).max(1, keepdims=True)
        ranks[part] = (scores > best).sum(1)
    return ranks


def overlap(
    queries: Vectors, gallery: Vectors, found: Ranks, depths: tuple[int, ...]
) -> dict[int, float]:
    """Of the best k by exact search, the share that is among the first k `found` (m, ≥ k).

    By score: one that is as good as the k-th best is right, whichever it is. -1: nothing found.
    """
    shares: dict[int, list[npt.NDArray[np.float64]]] = {k: [] for k in depths}
    for part, scores in _scores(queries, gallery, "beside exact", " captions"):
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
    """Some of the queries, and their rounded scores (q, g) with all of the gallery."""
    size = max(1, BLOCK_SCORES // max(1, len(gallery)))
    flat = faiss.IndexFlatIP(gallery.shape[1])
    flat.add(gallery)
    with tqdm(desc=what, total=len(queries), unit=unit, disable=None) as bar:
        for begin in range(0, len(queries), size):
            part = slice(begin, begin + size)
            yield part, rounded(_products(flat, queries[part]))
            bar.update(len(queries[part]))


def _products(flat: faiss.IndexFlatIP, queries: Vectors) -> Vectors:
    """(q, g) the products of the queries with all vectors of `flat`."""
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

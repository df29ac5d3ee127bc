"""The stacks of a whole library.

A photo joins the best photo that is near it and that leads a stack. So each is compared with the
leaders before it only: by their hashes with FAISS, and if those are near, by their vectors.
"""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numpy as np
import numpy.typing as npt

from clipsearch.cpus import cpus
from clipsearch.index.search.stacks import BITS, COSINE, stacked

# Photos compared at once. All of them may be near all leaders: 12 bytes for each pair.
BLOCK = 512
# Pairs whose vectors are compared at once: 64 MB at 512 numbers.
PAIRS = 16_384

Vectors = npt.NDArray[np.float32]
Ranks = npt.NDArray[np.int64]


def stacks_of(
    hashes: npt.NDArray[np.uint64],
    vectors_of: Callable[[Ranks], Vectors],
    done: Callable[[int], object] = lambda count: None,
) -> Ranks:
    """(n,) the rank of each photo's leader, from `hashes` (n,) in the order of preference.

    `vectors_of`: (m,) ranks -> (m, d) of length 1. `done` is told how many photos were compared.
    Equals stacks.stacked, with memory for n hashes and a block of vectors.
    """
    faiss.omp_set_num_threads(cpus())
    codes = np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8)
    result = np.arange(len(hashes))
    known, leading = faiss.IndexBinaryFlat(64), np.zeros(0, np.int64)
    for begin in range(0, len(hashes), BLOCK):
        ranks = np.arange(begin, min(begin + BLOCK, len(hashes)))
        vectors = vectors_of(ranks)
        joined = _joined(codes[ranks], vectors, known, leading, vectors_of)
        left = joined < 0
        among = stacked(vectors[left].__getitem__, hashes[ranks[left]], np.ones(left.sum(), bool))
        joined[left] = ranks[left][among]
        result[ranks] = joined
        new = ranks[joined == ranks]
        known.add(codes[new])
        leading = np.append(leading, new)
        done(len(ranks))
    return result


def _joined(
    codes: npt.NDArray[np.uint8],
    vectors: Vectors,
    known: faiss.IndexBinaryFlat,
    leading: Ranks,
    vectors_of: Callable[[Ranks], Vectors],
) -> Ranks:
    """(b,) the first of the leaders `leading` that is near each photo of a block, -1 for none."""
    limits, _, places = known.range_search(codes, BITS + 1)  # the radius itself is not included
    photos = np.repeat(np.arange(len(codes)), np.diff(limits.astype(np.int64)))
    none = len(leading)
    first = np.full(len(codes), none)
    for begin in range(0, len(photos), PAIRS):
        part = slice(begin, begin + PAIRS)
        leaders, which = np.unique(places[part], return_inverse=True)
        theirs = vectors_of(leading[leaders])[which]
        near = np.einsum("pd,pd->p", vectors[photos[part]], theirs) >= COSINE
        np.minimum.at(first, photos[part][near], places[part][near])
    joined: Ranks = np.append(leading, -1)[first]
    return joined

"""Stacks: near-duplicates, such as bursts, re-encodings and small crops, as one result.

Two photos are near if both their perceptual hashes and their vectors are. Hashes alone join
pictures of one layout, vectors alone join pictures of the same things.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

# Both measured with `make bench-stacks` (docs/benchmarks.md). Of 64 bits, the most that differ:
BITS = 12
# Absolute, so that no page depends on the rest of the library. In CLIP ViT-B/32, 1 pair of COCO
# photos in 75,000 reaches it, and two photos have 0.47.
COSINE = 0.93
# Cosine of one vector as float32 and as float16, as one instance reads a segment, another a pack.
SAME = 1 - 1e-5
# Products of a vector with a fixed one differ less than this if the vectors are the same.
_SAME_PRODUCT = 5e-4
# Pairs for each photo from which a matrix of all products is faster than single products.
_DENSE = 8

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
VectorsOf = Callable[[Rows], Vectors]


def stacked(vectors_of: VectorsOf, hashes: npt.NDArray[np.uint64], has_hash: Mask) -> Rows:
    """(n,) the rank of each photo's leader; its own rank if the photo leads or stands alone.

    `hashes` (n,), `has_hash` (n,): by rank, best first. `vectors_of`: the vectors (m, d), of length
    about 1, of ranks (m,); most are not needed. A photo joins the best leader that is near it.
    Without a hash it joins only an equal vector. For up to some thousand photos: it compares all
    pairs.
    """
    count = len(hashes)
    if count < 2:
        return np.arange(count)
    # not nonzero(), which takes twice as long
    alike = np.flatnonzero(np.bitwise_count(hashes[:, None] ^ hashes) <= BITS)
    first, second = np.divmod(alike, count)
    by_hash = (first < second) & has_hash[first] & has_hash[second]
    near = [_near(vectors_of, first[by_hash], second[by_hash], COSINE)]
    if not has_hash.all():
        vectors = vectors_of(np.arange(count))
        near.append(_near(vectors.__getitem__, *_may_be_same(vectors, ~has_hash), SAME))
    firsts, seconds = (np.concatenate(column) for column in zip(*near, strict=True))
    order = np.argsort(firsts, kind="stable")
    return led(count, firsts[order], seconds[order])


def led(count: int, first: Rows, second: Rows) -> Rows:
    """(count,) the leader of each rank, from pairs of near ranks: `first` (p,) < `second` (p,).

    `first` must be ascending.
    """
    leaders = np.arange(count)
    begins = np.flatnonzero(np.diff(first, prepend=-1)).tolist()
    for begin, end in itertools.pairwise([*begins, len(first)]):
        leader = first[begin]
        if leaders[leader] == leader:
            near = second[begin:end]
            alone = near[leaders[near] == near]  # none leads yet: it is worse
            leaders[alone] = leader
    return leaders


def _may_be_same(vectors: Vectors, lacks_hash: Mask) -> tuple[Rows, Rows]:
    """The pairs that lack a hash, and whose vectors may be equal up to rounding."""
    direction = np.random.default_rng(0).normal(size=(vectors.shape[1],)).astype(np.float32)
    products = vectors @ (direction / np.linalg.norm(direction))
    first, second = np.nonzero(np.abs(products[:, None] - products) <= _SAME_PRODUCT)
    counts = (first < second) & (lacks_hash[first] | lacks_hash[second])
    return first[counts], second[counts]


def _near(vectors_of: VectorsOf, first: Rows, second: Rows, least: float) -> tuple[Rows, Rows]:
    """The pairs with at least this cosine. float16 changes the length of a vector, so it counts."""
    ranks, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    if not len(ranks):
        return first, second
    vectors, left, right = vectors_of(ranks), places[: len(first)], places[len(first) :]
    lengths = np.linalg.norm(vectors, axis=1)
    if len(first) > _DENSE * len(vectors):
        products = (vectors @ vectors.T)[left, right]
    else:
        products = np.einsum("pd,pd->p", vectors[left], vectors[right])
    is_near = products / (lengths[left] * lengths[right]) >= least
    return first[is_near], second[is_near]

"""How many candidates of a search by codes are compared exactly.

Codes are wrong by about as much as the best photos differ. How many candidates that takes depends
on the library: near-duplicates fill a list, and hide the best photos behind it. So a search goes
down its list until nothing more is found there.

A bound from the errors of the codes missed more at the same cost, probably because photos of a
burst err alike. The constants were measured with `make bench-index`, see docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FIRST = 800
PER_HIT = 8
# More are not compared: 20,480 random rows take about 5 ms.
MOST = 20_480
# Nor with rows in the bucket: so many reads take about 0.6 s of CPU.
MOST_IN_BUCKET = 1_280
# Of the best, the share that may be in the second half of a list: 1 of 24, 25 of 504.
LATE = 0.05

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


def first_number(k: int) -> int:
    """How many candidates a search for the best `k` compares at least."""
    return max(FIRST, PER_HIT * k)


def are_enough(ranks: npt.NDArray[np.int64], number: int) -> bool:
    """Whether more candidates would hardly change the best.

    `ranks` (k,): where the best of `number` candidates are in their list, best codes first.
    """
    return bool(np.count_nonzero(ranks >= number // 2) <= LATE * len(ranks))


def nearly_best(
    k: int,
    first: int,
    most: int,
    lengthened: Callable[[Rows, int], Rows | None],
    compared: Callable[[Rows], tuple[Scores, Rows]],
) -> tuple[Scores, Rows] | None:
    """Scores (j,), descending, and places (j,) of up to `k` of the best of a list of candidates.

    Compares `first` candidates, and up to `most` while that finds more. `lengthened`: the list,
    with at least so many candidates, or all there are; None to give up, and then the result is
    None. `compared`: scores and indices of the best `k` of these candidates, in any order.
    """
    number, done = first, 0
    places, ranks, scores = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    while True:
        longer = lengthened(places, number)
        if longer is None:
            return None
        places = longer
        found, order = compared(places[done:number])
        scores, ranks = np.append(scores, found), np.append(ranks, done + order)
        best = np.argsort(-scores, kind="stable")[:k]
        scores, ranks, done = scores[best], ranks[best], number
        if number >= most or len(places) < number or are_enough(ranks, number):
            return scores, places[ranks]
        number = min(2 * number, most)

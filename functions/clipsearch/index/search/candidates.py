"""How many candidates of a search by codes are compared exactly.

Codes are wrong by about as much as the best photos differ. How many candidates that takes depends
on the library: near-duplicates fill a list, and hide the best photos behind it. So a search goes
down its list until nothing more is found there.

A bound from the errors of the codes missed more at the same cost, probably because photos of a
burst err alike. The constants were measured with `make bench-index`, see docs/benchmarks.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FIRST = 800
PER_HIT = 16
# More are not compared: 20,480 random rows take about 5 ms.
MOST = 20_480
# Of the best, the share that may be in the second half of a list: 1 of 24, 25 of 504.
LATE = 0.05


def first_number(k: int) -> int:
    """How many candidates a search for the best `k` compares at least."""
    return max(FIRST, PER_HIT * k)


def are_enough(ranks: npt.NDArray[np.int64], number: int) -> bool:
    """Whether more candidates would hardly change the best.

    `ranks` (k,): where the best of `number` candidates are in their list, best codes first.
    """
    return bool(np.count_nonzero(ranks >= number // 2) <= LATE * len(ranks))

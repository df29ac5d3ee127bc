"""The merge rule as an engine applies it: with one number and two more columns for ties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Entries, Kind

KINDS = 4  # a power of two with room for every Kind
MAX_RANKED = (2**63 - 1) // KINDS  # the greatest generation that fits, the year 75,000 in µs


def rank_of(
    generations: npt.NDArray[np.int64], kinds: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int64]:
    """(n,) generation * 4 + kind: the greater rank wins.

    Equal ranks are about the same generation, and then facts and time decide (see
    Entries.winners). Generations above MAX_RANKED, which no storage has, count as that.
    """
    ranks: npt.NDArray[np.int64] = generations.clip(max=MAX_RANKED).astype(np.int64) * KINDS + kinds
    return ranks


def reduced(parts: Sequence[Entries]) -> Entries:
    """The winning entry of each photo in all parts, and no other."""
    entries = Entries.concat(parts)
    return entries.take(entries.winners())


def vectors_by_row(entries: Entries) -> npt.NDArray[np.int64]:
    """(n,) the row in `vectors` of each entry; -1 where it has none."""
    is_vector = entries.kinds == Kind.VECTOR
    return np.where(is_vector, np.cumsum(is_vector) - 1, -1)

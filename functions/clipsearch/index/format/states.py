"""What entries say of photos besides names and vectors, and the merge rule.

Entries (entries.py) add what the bucket has, a Table (reader/table.py) what a reader keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.facts import Known
from clipsearch.index.format.packed_texts import unpack

Array = npt.NDArray[Any]


class Kind(IntEnum):
    """The kind of an entry. At equal generations, the greater kind wins."""

    FAILURE = 0
    VECTOR = 1
    TOMBSTONE = 2


class Cause(IntEnum):
    """Why a photo failed. Values from 1 on are the version of the decoder that failed."""

    UNKNOWN = 0  # the entry was written before causes existed
    REFUSED = -1  # the storage refuses to return this object
    SKIPPED = -2  # not a photo, by name and content
    GAVE_UP = -3  # too many attempts ended without a result


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """n entries, f of them failures.

    `reasons`: concatenated UTF-8; `reason_ends`: where each one ends. They have one text per
    failure, in order.
    """

    generations: npt.NDArray[np.int64]  # (n,)
    kinds: npt.NDArray[np.uint8]  # (n,) of Kind
    widths: npt.NDArray[np.int32]  # (n,); a failure's cause
    heights: npt.NDArray[np.int32]  # (n,)
    times: npt.NDArray[np.int64]  # (n,) µs since 1970
    reasons: npt.NDArray[np.uint8]
    reason_ends: npt.NDArray[np.int64]  # (f,)
    facts: Array  # (n,) of FACTS

    def __len__(self) -> int:
        return len(self.generations)

    def reason(self, row: int) -> str | None:
        """Why the photo of this row cannot be indexed; None unless it is a failure."""
        if self.kinds[row] != Kind.FAILURE:
            return None
        rank = np.count_nonzero(self.kinds[:row] == Kind.FAILURE)
        return unpack(self.reasons, self.reason_ends, int(rank))

    def failed(self, *causes: Cause) -> npt.NDArray[np.bool_]:
        """(n,) mask of the failures, limited to `causes` if given."""
        is_failure = self.kinds == Kind.FAILURE
        if causes:
            is_failure &= np.isin(self.widths, causes)
        return np.asarray(is_failure)

    def beats(self, rows: Array, other: States, other_rows: Array) -> npt.NDArray[np.bool_]:
        """(m,) whether each entry at `rows` (m,) wins over that at `other_rows` (same photo)."""
        wins = np.zeros(len(rows), bool)
        undecided = np.ones(len(rows), bool)
        for mine, theirs in zip(self.precedence(), other.precedence(), strict=True):
            wins |= undecided & (mine[rows] > theirs[other_rows])
            undecided &= mine[rows] == theirs[other_rows]
        return wins

    def precedence(self) -> tuple[Array, ...]:
        """The merge rule: the columns that decide between entries about one photo, in order.

        Facts and time decide only between entries about one generation: one with facts wins over
        one without, which an older version wrote, and a retried failure over the one before.
        """
        has_facts = self.facts["flags"] & np.uint8(Known.LOOKED)
        return self.generations, self.kinds, has_facts, self.times

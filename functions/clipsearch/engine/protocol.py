"""What an engine does for the mirror."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Entries


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """h photos, best first: their `entries`, without vectors, and `scores` (h,), cosines."""

    entries: Entries
    scores: npt.NDArray[np.float32]


class Engine(Protocol):
    """A table with the winning entry of each photo. Methods may run in several processes at once.

    Every method may raise StorageError.
    """

    def apply(self, entries: Entries) -> None:
        """Merge the entries, at most one per photo, by the merge rule. They are then durable.

        In any order, any number of times, and from several writers at once: the result is equal.
        """

    def improve(self) -> None:
        """Bring the index of the vectors up to date, so that searches read little.

        A search finds the same photos before, but slowly.
        """

    def search(self, vector: npt.NDArray[np.float32], k: int) -> Found:
        """Nearly the best `k` photos for a query (d,)."""

    def count(self) -> int:
        """How many photos have a vector."""

"""What an engine does: an Engine for the mirror, an Opened table for search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Entries
from clipsearch.index.search.filter import Filter

Keys = npt.NDArray[np.uint64]  # (m, 2), see key_of
Vectors = npt.NDArray[np.float32]

# The engine's index reads these; the others are refused (see Union.refused).
FILTERS = ("photo", "folder", "after", "before", "orientation", "formats", "min_megapixels")


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Photos with their vectors, in any order. `are_all`: no other photo fits."""

    entries: Entries
    are_all: bool


class Opened(Protocol):
    """A table as it was when it was opened: later changes do not show. Thread-safe.

    Filters have only the criteria of FILTERS. Methods raise RowsLost if the table cannot be read,
    perhaps because it was deleted, and set `lost`.
    """

    lost: bool
    photos: int  # with a vector
    failures: int
    skipped: int  # of the failures, files that are not photos

    def entries_of(self, keys: Keys) -> Entries:
        """The entries of those photos that have one, of any kind, without vectors."""

    def photos_of(self, keys: Keys) -> Entries:
        """The entries of those that have a vector, with it."""

    def best(self, vector: Vectors, k: int, filter: Filter) -> Candidates:
        """Nearly the best `k` photos that fit for a query (d,), or all if few fit."""

    def by_date(
        self, count: int, after: tuple[int, str] | None, filter: Filter, oldest: bool
    ) -> Entries:
        """The `count` newest (or oldest) photos that fit, behind a date and a name, with their
        vectors, in any order. Equal dates by name."""

    def count(self, filter: Filter) -> int:
        """How many photos fit."""

    def failed(self, count: int) -> Entries:
        """The newest failures that are no skipped files, in any order."""

    def sample(self, count: int) -> Vectors:
        """(s, d) of about `count` photos, nearly the same in every version of the table."""


class Engine(Protocol):
    """A table with the winning entry of each photo. Methods may run in several processes at once.

    Every method may raise StorageError; apply() and improve() do if the table does not exist.
    """

    def make(self) -> None:
        """Make the table, unless it exists."""

    def exists(self) -> bool:
        """Whether it was made, and not deleted since."""

    def apply(self, entries: Entries) -> None:
        """Merge the entries, at most one per photo, by the merge rule. They are then durable.

        In any order, any number of times, and from several writers at once: the result is equal.
        """

    def improve(self) -> None:
        """Bring the indexes up to date, so that searches read little.

        A search finds the same photos before, but slowly.
        """

    def opened(self) -> Opened:
        """The table as it is now, to search it."""

    def count(self) -> int:
        """How many photos have a vector."""

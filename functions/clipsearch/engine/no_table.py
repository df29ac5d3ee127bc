"""In place of a table, while there is no mirror: holds nothing."""

from __future__ import annotations

import numpy as np

from clipsearch.engine.protocol import Candidates, Keys, Vectors
from clipsearch.index.format.entries import Entries
from clipsearch.index.search.filter import Filter

_NOTHING = Entries.from_entries([])


class NoTable:
    lost = False
    photos = failures = skipped = 0

    def entries_of(self, keys: Keys) -> Entries:
        return _NOTHING

    photos_of = entries_of

    def best(self, vector: Vectors, k: int, filter: Filter) -> Candidates:
        return Candidates(_NOTHING, True)

    def by_date(
        self, count: int, after: tuple[int, str] | None, filter: Filter, oldest: bool
    ) -> Entries:
        return _NOTHING

    def count(self, filter: Filter) -> int:
        return 0

    def failed(self, count: int) -> Entries:
        return _NOTHING

    def sample(self, count: int) -> Vectors:
        return np.zeros((0, 0), np.float32)

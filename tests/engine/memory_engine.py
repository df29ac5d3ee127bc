"""An engine in memory: the merge rule and exact search, in one atomic step each."""

from __future__ import annotations

import numpy as np

from clipsearch.engine.protocol import Found
from clipsearch.engine.reduced import reduced
from clipsearch.index.format.entries import Entries, Kind


class MemoryEngine:
    def __init__(self) -> None:
        self.entries = Entries.from_entries([])
        self.applied: list[set[str]] = []  # names of photos by call
        self.improved = 0

    def apply(self, entries: Entries) -> None:
        assert entries.winners().all(), "an engine gets at most one entry per photo"
        self.applied.append({entries.name(row) for row in range(len(entries))})
        self.entries = reduced([self.entries, entries])

    def improve(self) -> None:
        self.improved += 1

    def search(self, vector: np.ndarray, k: int) -> Found:
        scores = self.entries.vectors @ vector
        best = np.argsort(-scores, kind="stable")[:k]
        photos = self.entries.take(self.entries.kinds == Kind.VECTOR).without_vectors()
        keep = np.isin(np.arange(len(photos)), best)
        return Found(photos.take(keep), scores[np.flatnonzero(keep)])

    def count(self) -> int:
        return len(self.entries.vectors)

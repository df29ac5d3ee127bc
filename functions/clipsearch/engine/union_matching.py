"""All photos of a union that match a query, by date."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipsearch.index.search.hits import Hit
from clipsearch.index.search.matching import BEST, Matching
from clipsearch.index.search.ranking import Scores


@dataclass(frozen=True, slots=True, eq=False)
class UnionMatching:
    """`parts`: no photo is in two of them. `is_cut`: more photos may match."""

    parts: Sequence[Matching]
    is_cut: bool

    @classmethod
    def of(cls, parts: Sequence[Matching], is_cut: bool, is_best: bool) -> UnionMatching:
        """`is_best`: only the BEST best of all parts match, and those as good as the last."""
        scores = np.sort(np.concatenate([part.scores for part in parts]))
        if not is_best or len(scores) <= BEST:
            return cls(parts, is_cut)
        return cls([_kept(part, part.scores >= scores[-BEST]) for part in parts], False)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def scores(self) -> Scores:
        """(m,) in any order."""
        return np.concatenate([part.scores for part in self.parts])

    def without(self, names: Collection[str]) -> UnionMatching:
        return replace(self, parts=[part.without(names) for part in self.parts])

    def by_date(
        self, limit: int, after: tuple[int, str] | None = None, oldest: bool = False
    ) -> list[Hit]:
        """See Matching.by_date."""
        sign = 1 if oldest else -1
        hits = [hit for part in self.parts for hit in part.by_date(limit, after, oldest)]
        return sorted(hits, key=lambda hit: (sign * hit.date, hit.name))[:limit]


def _kept(part: Matching, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Matching:
    return replace(part, scores=part.scores[keep], rows=part.rows[keep])

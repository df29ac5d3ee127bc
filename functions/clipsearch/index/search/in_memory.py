"""What sets an index in memory apart from one in an engine (clipsearch/engine/union.py)."""

from __future__ import annotations

import copy
from typing import Self

from clipsearch.index.search.filter import Filter


class InMemory:
    """Its states never change: an update makes another."""

    counts_facets = True
    # The largest difference between two scores of one photo. float16 changes a score by 0.00018 if
    # one number dominates the vector, as in CLIP; else by a tenth of that.
    score_error = 2e-4

    def as_of_now(self) -> Self:
        """The same index, which later updates do not change."""
        return copy.copy(self)

    def refused(self, filter: Filter) -> list[str]:
        """The criteria of the filter that it cannot limit to: none."""
        return []

"""All photos that match a query, by date or counted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from clipsearch.index.search.columns import Mask
from clipsearch.index.search.facets import Facets, facets_of
from clipsearch.index.search.filter import Filter
from clipsearch.index.search.flat_shard import Rows
from clipsearch.index.search.hits import Hit, found
from clipsearch.index.search.order import first_by_date
from clipsearch.index.search.ranking import Scores
from clipsearch.index.search.state import State

BEST = 500  # photos that match best, if no score tells which match


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """`rows` (m,) and `scores` (m,) of the matching photos in one state of the index.

    `is_cut`: more photos may match. A search does not compare them if their rows are in the bucket.
    """

    state: State
    scores: Scores
    rows: Rows
    is_cut: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def without(self, names: Collection[str]) -> Matching:
        rows = [self.state.catalogue.row_of(name) for name in names]
        others = ~np.isin(self.rows, [row for row in rows if row is not None])
        return replace(self, scores=self.scores[others], rows=self.rows[others])

    def by_date(
        self, limit: int, after: tuple[int, str] | None = None, oldest: bool = False
    ) -> list[Hit]:
        """The `limit` newest (or oldest); equal dates by name.

        `after`: date and name of the last hit of the previous page.
        """
        places = first_by_date(self.state.columns, self.rows, limit, after, oldest)
        return found(self.state, self.rows[places], self.scores[places].tolist())

    def facets(self, filter: Filter) -> Facets:
        """Of the photos that fit `filter`.

        The query must have been limited to `filter.loosest`, because lists ignore some criteria.
        """
        matches = np.zeros(len(self.state.catalogue.live), bool)
        matches[self.rows] = True

        def mask(filter: Filter) -> Mask:
            return self.state.mask(filter) & matches

        return facets_of(self.state.columns, filter, mask)

"""An opened table as what a SnapshotReader builds on, and which of its rows newer entries hide.

Entries are compared by the merge rule, and not by key alone: a late deletion of an old generation
loses to the table's row, and hides nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clipsearch.engine.protocol import Opened
from clipsearch.index.format.entries import Entries
from clipsearch.index.reader.catalogue import Catalogue


class TableBase:
    """`segments`: their entries are all in `table`. `dimension`: of the space's vectors.

    Used by one reader, one refresh at a time.
    """

    def __init__(self, table: Opened, segments: frozenset[str], dimension: int) -> None:
        self.table, self.segments, self.dimension = table, segments, dimension
        self._beaten = Catalogue.empty()  # rows of the table

    def is_news(self, entries: Entries, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """See Base. Asks the table once for each of the rows."""
        keys = entries.keys[rows]
        theirs = self.table.entries_of(keys)
        held, _ = Catalogue.empty().merged(theirs)
        at = held.rows_of(keys)
        there = np.flatnonzero(at >= 0)
        beats = entries.beats(rows[there], held.rows, at[there])
        is_new = np.ones(len(rows), bool)
        is_new[there[~beats]] = False
        beaten = np.isin(held.rows_of(theirs.keys), at[there[beats]])
        self._beaten, _ = self._beaten.merged(theirs.take(beaten))
        return is_new

    def hidden(self, newer: Catalogue) -> Catalogue:
        """The rows of the table that the `newer` entries replace."""
        # A refresh that failed half-way has asked for photos that are not in `newer`.
        return self._beaten.common(newer)

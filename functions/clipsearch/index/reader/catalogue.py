"""The state of every photo, updated entry by entry.

Rows are only appended, so a row number always means the same vector. `live` marks the rows that
count. An entry that repeats a vector, with newer facts, changes its row: a new row per repetition
would double the memory of a search while facts are filled in. Catalogues are immutable: merging
returns a new one, and running searches keep the old.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Entries, Kind, key_of
from clipsearch.index.reader.table import Table

Array = npt.NDArray[Any]
# Which of some entries, given by their rows (m,), count: (m,).
Counts = Callable[[Entries, Array], npt.NDArray[np.bool_]]

# What two entries with the vector of one generation may differ in.
_RENEWED = ("facts", "times", "widths", "heights")


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """n entries that counted when added; p of them count now, one per photo.

    `version`: grows with every change, to compare catalogues of one reader.
    """

    rows: Table  # n of them
    live: npt.NDArray[np.bool_]  # (n,)
    _first: npt.NDArray[np.uint64]  # (p,) first halves of the keys, sorted by whole key
    _second: npt.NDArray[np.uint64]  # (p,)
    _key_rows: npt.NDArray[np.int32]  # (p,) the live row of each key
    version: int = 0

    @classmethod
    def empty(cls) -> Catalogue:
        return cls(
            rows=Table.empty(),
            live=np.zeros(0, bool),
            _first=np.zeros(0, np.uint64),
            _second=np.zeros(0, np.uint64),
            _key_rows=np.zeros(0, np.int32),
        )

    def merged(
        self, new: Entries, may_count: Counts | None = None
    ) -> tuple[Catalogue, npt.NDArray[np.int64]]:
        """A catalogue with the m `new` entries merged; their vectors are ignored.

        `may_count`: asked about entries that would count otherwise, one for each photo.
        Also returns (m,) the row of each new entry, -1 for those that do not count or only renew
        a row. Costs a sort of m and copies of arrays of n; no Python work per known photo.
        """
        given = np.full(len(new), -1)
        candidates = new.winners_by_key()
        at, known = self._find(new.keys[candidates])
        counts = ~known
        counts[known] = new.beats(candidates[known], self.rows, self._key_rows[at[known]])
        if may_count is not None and counts.any():
            counts[counts] = may_count(new, candidates[counts])
        if not counts.any():
            return self, given
        accepted, at, known = candidates[counts], at[counts], known[counts]
        renews = known.copy()
        renews[known] = self._repeated(new, accepted[known], self._key_rows[at[known]])
        renewed = self._renewed(new, accepted[renews], self._key_rows[at[renews]])
        accepted, at, known = accepted[~renews], at[~renews], known[~renews]
        counts_of_new = np.zeros(len(new), bool)
        counts_of_new[accepted] = True
        given[counts_of_new] = np.arange(len(self.live), len(self.live) + len(accepted))
        return renewed._extended(new, given, accepted, at, known), given

    def row_of(self, name: str) -> int | None:
        """The row of the entry that counts for this photo; None if it has none."""
        at, known = self._find(np.array([key_of(name)], np.uint64))
        return int(self._key_rows[at[0]]) if known[0] else None

    def rows_of(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """(m, 2) keys of names -> (m,) the row that counts for each photo, -1 where unknown."""
        at, known = self._find(keys)
        rows = np.full(len(keys), -1)
        rows[known] = self._key_rows[at[known]]
        return rows

    def lacks(
        self, keys: npt.NDArray[np.uint64], generations: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """(m,) which photos have no entry of their generation or a later one."""
        rows = self.rows_of(keys)
        lacks = rows < 0
        lacks[~lacks] = self.rows.generations[rows[~lacks]] < generations[~lacks]
        return lacks

    def common(self, other: Catalogue) -> Catalogue:
        """Only the photos that `other` has, too."""
        counts = other.rows_of(np.stack([self._first, self._second], 1)) >= 0
        live = np.zeros(len(self.live), bool)
        live[self._key_rows[counts]] = True
        return replace(
            self,
            live=live,
            _first=self._first[counts],
            _second=self._second[counts],
            _key_rows=self._key_rows[counts],
        )

    def ranks(self) -> npt.NDArray[np.int64]:
        """(n,) the rank of each live row by its key: an order that is the same everywhere."""
        ranks = np.full(len(self.live), -1)
        ranks[self._key_rows] = np.arange(len(self._key_rows))
        return ranks

    def sample(self, kind: Kind, size: int) -> npt.NDArray[np.int64]:
        """The rows of up to `size` photos in the state `kind`, ascending.

        Keys are hashes: the photos with the smallest keys are a sample, the same in every instance.
        """
        is_kind = self.rows.kinds[self._key_rows] == kind
        return np.sort(self._key_rows[np.flatnonzero(is_kind)[:size]]).astype(np.int64)

    def count(self, kind: Kind) -> int:
        """How many photos are in the state `kind`."""
        return int(np.count_nonzero(self.live & (self.rows.kinds == kind)))

    def _find(self, keys: npt.NDArray[np.uint64]) -> tuple[Array, npt.NDArray[np.bool_]]:
        """The position of each key in the sorted keys, and whether it is present."""
        at = np.searchsorted(self._first, keys[:, 0])
        known = np.zeros(len(keys), bool)
        undecided = np.flatnonzero(at < len(self._first))
        while len(undecided):  # repeats only for names whose keys share the first half
            places, (first, second) = at[undecided], keys[undecided].T
            is_same_half = self._first[places] == first
            known[undecided] = is_same_half & (self._second[places] == second)
            undecided = undecided[is_same_half & (self._second[places] < second)]
            at[undecided] += 1
            undecided = undecided[at[undecided] < len(self._first)]
        return at, known

    def _repeated(self, new: Entries, entries: Array, rows: Array) -> npt.NDArray[np.bool_]:
        """(m,) whether each of `entries` (m,) has the vector of the row in `rows` (m,) again.

        Its floats may differ in the last bits, as of another machine: either vector will do.
        """
        is_same = new.generations[entries] == self.rows.generations[rows]
        are_vectors = (new.kinds[entries] == Kind.VECTOR) & (self.rows.kinds[rows] == Kind.VECTOR)
        return np.asarray(is_same & are_vectors)

    def _renewed(self, new: Entries, entries: Array, rows: Array) -> Catalogue:
        """The catalogue whose `rows` (m,) have the facts of `entries` (m,)."""
        if not len(rows):
            return self
        columns = {column: getattr(self.rows, column).copy() for column in _RENEWED}
        for column, values in columns.items():
            values[rows] = getattr(new, column)[entries]
        return replace(self, rows=replace(self.rows, **columns), version=self.version + 1)

    def _extended(
        self, new: Entries, given: Array, accepted: Array, at: Array, known: Array
    ) -> Catalogue:
        """`accepted`: rows of `new` sorted by key; `at`, `known`: the results of _find for them."""
        if not len(accepted):
            return self
        live = np.concatenate([self.live, np.ones(len(accepted), bool)])
        live[self._key_rows[at[known]]] = False
        key_rows = self._key_rows.copy()
        key_rows[at[known]] = given[accepted[known]]
        added = accepted[~known]
        return Catalogue(
            rows=self.rows.extended(new.without_vectors().take(given >= 0)),
            live=live,
            _first=_inserted(self._first, at[~known], new.keys[added, 0]),
            _second=_inserted(self._second, at[~known], new.keys[added, 1]),
            _key_rows=_inserted(key_rows, at[~known], given[added].astype(np.int32)),
            version=self.version + 1,
        )


def _inserted(sorted_: Array, at: Array, more: Array) -> Array:
    """np.insert, with a shortcut for an empty array, where np.insert is slow."""
    return np.insert(sorted_, at, more) if len(sorted_) else more

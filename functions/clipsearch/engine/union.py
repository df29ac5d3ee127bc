"""The photos of a table and of newer segments as one index, for one request.

The table's candidates become a small index in memory. So scores, filters, terms and their order
are those of every other search (index/search/), and a page is a merge of two lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from clipsearch.engine.protocol import FILTERS, Candidates, Opened
from clipsearch.engine.union_matching import UnionMatching
from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.format.entries import Entries, Kind, key_of
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.search.combination import Balance, Combination, balances_of
from clipsearch.index.search.filter import ALL, Filter
from clipsearch.index.search.hits import Hit, Listed
from clipsearch.index.search.kept import Kept
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.index.search.small_index import index_of
from clipsearch.index.search.state import State

# Photos of the table that a search finds at most: a request each.
COMPARED = 240
SPARE = 32
ALL_COMPARED = 2  # times COMPARED: so many photos are all compared

Vectors = npt.NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Union:
    """`newer`: the photos that are newer than `table`; it never changes. `entries`: what newer
    segments say, deletions too. `hidden`: rows of the table that they replace. `sampled`: photos of
    the table, as Opened.sample. `kept`: candidates, of this table only."""

    table: Opened
    newer: PhotoIndex
    entries: Catalogue
    hidden: Catalogue
    sampled: Callable[[], Vectors]
    kept: Kept
    counts_facets = False
    score_error = PhotoIndex.score_error

    @property
    def photos(self) -> int:
        return self.table.photos - self.hidden.count(Kind.VECTOR) + self.newer.count()

    @property
    def most_compared(self) -> int | None:
        """How many photos of the table a search finds at most; None: all."""
        return None if self.compares_all() else COMPARED

    def compares_all(self, filter: Filter = ALL) -> bool:
        """Whether a search finds all photos that fit."""
        photos = self.table.photos if filter.is_all else self._count(filter)
        return photos <= ALL_COMPARED * COMPARED

    @staticmethod
    def refused(filter: Filter) -> list[str]:
        """The criteria of the filter that no table has an index for."""
        given = (f.name for f in fields(filter) if getattr(filter, f.name) != f.default)
        return [name for name in given if name not in FILTERS]

    def search(
        self,
        wanted: Vectors | Combination,
        limit: int,
        after: tuple[float, str] | None = None,
        filter: Filter = ALL,
        exactly: bool = False,
    ) -> list[Hit]:
        """See PhotoIndex.search. "Exactly" is: of the photos that are compared."""
        found, _ = self._candidates(wanted, filter)
        parts = (index.search(wanted, limit, after, filter, True) for index in (found, self.newer))
        hits = [hit for part in parts for hit in part]
        return sorted(hits, key=lambda hit: (-hit.score, hit.name))[:limit]

    def matching(
        self, wanted: Vectors | Combination, least: float | None, filter: Filter = ALL
    ) -> UnionMatching:
        """See PhotoIndex.matching."""
        found, are_all = self._candidates(wanted, filter)
        parts = [index.matching(wanted, least, filter) for index in (found, self.newer)]
        is_cut = not are_all and len(parts[0]) >= found.count()
        return UnionMatching.of(parts, is_cut, least is None)

    def newest(
        self,
        limit: int,
        after: tuple[int, str] | None = None,
        filter: Filter = ALL,
        oldest: bool = False,
    ) -> list[Listed]:
        """See PhotoIndex.newest."""
        hits = self.newer.newest(limit, after, filter, oldest)
        hits += self._dated(limit, after, filter, oldest)
        sign = 1 if oldest else -1
        return sorted(hits, key=lambda hit: (sign * hit.date, hit.name))[:limit]

    def count(self, filter: Filter = ALL) -> int:
        """How many photos fit."""
        hidden = State.of(self.hidden, (), (), Kept()).mask(filter)
        table = self.table.photos if filter.is_all else self._count(filter)
        return table - int(np.count_nonzero(hidden)) + self.newer.count(filter)

    def vector_of(self, name: str) -> Vectors:
        """The vector (d,) of an indexed photo; raises PhotoNotIndexed."""
        if self.entries.row_of(name) is not None:
            return self.newer.vector_of(name)
        found = self.table.photos_of(np.array([key_of(name)], np.uint64))
        if not len(found):
            raise PhotoNotIndexed(name)
        vector: Vectors = found.vectors[0]
        return vector

    @cached_property
    def sample(self) -> Vectors:
        """(n, d): of the table and of newer photos, in proportion."""
        its = self.newer.sample
        if not self.table.photos:
            return its
        known = self.sampled()
        count = round(len(known) * self.newer.count() / self.table.photos)
        rows = np.linspace(0, len(its) - 1, min(count, len(its))).round().astype(int)
        return np.concatenate([known, its[rows]]) if len(rows) else known

    def combination(
        self, terms: Vectors, weights: Sequence[float], balances: Sequence[Balance] = ()
    ) -> Combination:
        """See PhotoIndex.combination."""
        return Combination.of(terms, weights, balances or balances_of(terms, self.sample))

    def _candidates(self, wanted: Vectors | Combination, filter: Filter) -> tuple[PhotoIndex, bool]:
        """The table's best photos that are not hidden, COMPARED of them, or all that fit if those
        are not many more; and whether there are no others."""
        vector = wanted.wanted if isinstance(wanted, Combination) else wanted
        k = COMPARED + self._spare
        while True:
            found = self._best(vector, k, filter)
            entries = self._shown(found.entries)
            if found.are_all or len(entries) >= COMPARED or len(found.entries) < k:
                break
            k *= 2
        are_all = found.are_all and len(found.entries) <= ALL_COMPARED * COMPARED
        if not are_all and len(entries) > COMPARED:
            scores = entries.vectors @ vector
            keep = np.zeros(len(entries), bool)
            keep[np.argsort(-scores, kind="stable")[:COMPARED]] = True
            entries = entries.take(keep)
        return index_of(entries), are_all

    @property
    def _spare(self) -> int:
        """So many more candidates that hidden ones among them hardly make another search
        necessary. Nearly constant, because candidates are kept by their number."""
        hidden = self.hidden.count(Kind.VECTOR)
        if not hidden:
            return 0
        expected = COMPARED * hidden / max(1, self.table.photos)
        return SPARE * math.ceil((2 * expected + 8) / SPARE)

    def _best(self, vector: Vectors, k: int, filter: Filter) -> Candidates:
        def make() -> tuple[Candidates, int]:
            found = self.table.best(vector, k, filter)
            return found, found.entries.vectors.nbytes + 300 * len(found.entries)

        return self._once((vector.tobytes(), k, filter), make)

    def _count(self, filter: Filter) -> int:
        return self._once(("count", filter), lambda: (self.table.count(filter), 100))

    def _once(self, key: tuple[object, ...], make: Callable[[], tuple[T, int]]) -> T:
        value: T = self.kept.get(key, make)
        return value

    def _dated(
        self, limit: int, after: tuple[int, str] | None, filter: Filter, oldest: bool
    ) -> list[Listed]:
        """Of the table: the first `limit` that are not hidden."""
        hits: list[Listed] = []
        while len(hits) < limit:
            asked = limit - len(hits)
            found = self.table.by_date(asked, after, filter, oldest)
            index = index_of(self._shown(found))
            hits += index.newest(asked, None, filter, oldest)
            if len(found) < asked:
                break
            [last] = index_of(found).newest(asked, None, filter, oldest)[-1:]
            after = last.date, last.name
        return hits

    def _shown(self, entries: Entries) -> Entries:
        rows = self.hidden.rows_of(entries.keys)
        return entries.take(rows < 0)

"""An engine in memory: the merge rule and exact search, in one atomic step each."""

from __future__ import annotations

import numpy as np

from clipsearch.engine.protocol import Candidates
from clipsearch.engine.reduced import reduced
from clipsearch.errors import RowsLost, StorageError
from clipsearch.index.format.entries import Cause, Entries, Kind
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.search.filter import ALL
from clipsearch.index.search.small_index import index_of


class MemoryEngine:
    def __init__(self) -> None:
        self.entries = Entries.from_entries([])
        self.applied: list[set[str]] = []  # names of photos by call
        self.improved = 0
        self.is_made = self.is_deleted = False

    def make(self) -> None:
        self.is_made = True

    def exists(self) -> bool:
        return self.is_made and not self.is_deleted

    def apply(self, entries: Entries) -> None:
        self._check()
        assert entries.winners().all(), "an engine gets at most one entry per photo"
        self.applied.append({entries.name(row) for row in range(len(entries))})
        self.entries = reduced([self.entries, entries])

    def improve(self) -> None:
        self._check()
        self.improved += 1

    def _check(self) -> None:
        if not self.exists():
            raise StorageError("the table does not exist")

    def opened(self) -> MemoryVersion:
        return MemoryVersion(self)

    def count(self) -> int:
        return len(self.entries.vectors)


class MemoryVersion:
    """`finds`: how many photos best() returns at most. `asked`: keys of each entries_of()."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine, self._entries = engine, engine.entries
        self._index, self.lost = index_of(engine.entries), False
        is_failure = engine.entries.kinds == Kind.FAILURE
        self.photos = len(engine.entries.vectors)
        self.failures = int(is_failure.sum())
        self.skipped = int((is_failure & (engine.entries.widths == Cause.SKIPPED)).sum())
        self.asked: list[int] = []

    def entries_of(self, keys):
        self._check()
        self.asked.append(len(keys))
        return self._where(self._rows(keys)).without_vectors()

    def photos_of(self, keys):
        self._check()
        return self._where(self._rows(keys) & (self._entries.kinds == Kind.VECTOR))

    def best(self, vector, k, filter):
        self._check()
        hits = self._index.search(vector, k, filter=filter)
        return Candidates(self._named(hits), len(hits) == self._index.count(filter))

    def by_date(self, count, after, filter, oldest):
        self._check()
        return self._named(self._index.newest(count, after, filter, oldest))

    def count(self, filter=ALL):
        self._check()
        return self._index.count(filter)

    def failed(self, count):
        is_failure = self._entries.kinds == Kind.FAILURE
        rows = np.flatnonzero(is_failure & (self._entries.widths != Cause.SKIPPED))
        rows = rows[np.argsort(-self._entries.times[rows], kind="stable")][:count]
        return self._where(np.isin(np.arange(len(self._entries)), rows))

    def sample(self, count):
        self._check()
        return self._entries.vectors[:count]

    def _check(self):
        if self._engine.is_deleted:
            self.lost = True
            raise RowsLost("table", "it was deleted")

    def _named(self, hits):
        names = {hit.name for hit in hits}
        return self._where(
            np.array([self._entries.name(r) in names for r in range(len(self._entries))], bool)
        )

    def _rows(self, keys):
        catalogue, _ = Catalogue.empty().merged(self._entries)
        wanted = catalogue.rows_of(keys)
        mine = catalogue.rows_of(self._entries.keys)
        return np.isin(mine, wanted[wanted >= 0])

    def _where(self, keep):
        return self._entries.take(keep)

"""The state of all photos, in a table and in newer segments, for /status."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime

import numpy as np
import numpy.typing as npt

from clipsearch.engine.no_table import NoTable
from clipsearch.engine.protocol import Opened
from clipsearch.index.format.entries import Cause, Entries, Kind
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot import Snapshot

LOOKED_UP = 2000  # photos that the table is asked for


@dataclass(frozen=True, eq=False)
class MirroredSnapshot(Snapshot):
    """`catalogue`: only the newer entries. `hidden`: rows of `table` that they replace."""

    table: Opened = field(default_factory=NoTable)
    hidden: Catalogue = field(default_factory=Catalogue.empty)

    @property
    def skipped(self) -> int:
        hidden = self.hidden.rows.failed(Cause.SKIPPED) & self.hidden.live
        return self.table.skipped - int(np.count_nonzero(hidden)) + super().skipped

    def newest_failed(self, limit: int) -> Entries:
        hidden = self.hidden.count(Kind.FAILURE)
        of_table = self.table.failed(limit + hidden)
        of_table = of_table.take(self.hidden.rows_of(of_table.keys) < 0)
        return newest(Entries.concat([of_table, super().newest_failed(limit)]), limit)

    def lacking(self, keys: npt.NDArray[np.uint64], generations: npt.NDArray[np.int64]) -> int:
        """Of more than LOOKED_UP photos, an estimate from as many."""
        lacks = self.catalogue.lacks(keys, generations)
        keys, generations = keys[lacks], generations[lacks]
        every = max(1, -(-len(keys) // LOOKED_UP))
        keys_asked, asked = keys[::every], generations[::every]
        if not len(asked):
            return 0
        held, _ = Catalogue.empty().merged(self.table.entries_of(keys_asked))
        share = held.lacks(keys_asked, asked).mean()
        return round(len(keys) * float(share))


def newest(entries: Entries, limit: int) -> Entries:
    """The `limit` entries that were written last, in any order."""
    keep = np.zeros(len(entries), bool)
    keep[np.argsort(-entries.times, kind="stable")[:limit]] = True
    return entries.take(keep)


def mirrored(
    snapshot: Snapshot, table: Opened, hidden: Catalogue, photos: int, whole: datetime | None
) -> MirroredSnapshot:
    """The snapshot of newer segments with the photos of the table; both have `photos`.

    `whole`: when the table was made; None without one.
    """
    said = {f.name: getattr(snapshot, f.name) for f in fields(Snapshot)}
    said["photos"], said["updated"] = photos, snapshot.updated or whole
    said["failures"] = table.failures - hidden.count(Kind.FAILURE) + snapshot.failures
    return MirroredSnapshot(**said, table=table, hidden=hidden)

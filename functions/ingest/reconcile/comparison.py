"""Compares the photos bucket with the index: what must be done so that they agree.

It compares each batch of the listing with the sorted keys of the catalogue, and keeps one bit per
photo. So a million photos fit into memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from clipsearch.images.decode import DECODER
from clipsearch.index.format.entries import Cause, Kind, key_of
from clipsearch.index.format.generations import overruling, stands_for
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reconcile_log import Pending
from clipsearch.storage import Stat
from ingest.messages import Wanted

# µs. A photo whose message was published more recently is not published again. Later, something
# may be wrong, although Pub/Sub delivers a message for a day.
ON_ITS_WAY_US = 6 * 3600 * 1_000_000


class Comparison:
    """One listing of the bucket, compared with the state of the index before it.

    This order is safe. A photo that the index knew and the listing lacks is gone. A photo that
    arrived meanwhile is indexed twice, which changes nothing.
    """

    def __init__(self, catalogue: Catalogue, before: Pending) -> None:
        """`before`: photos that an earlier run published and the index does not know yet.

        `is_current`, (n,) by row of `catalogue`: photos that were listed as the index has them.
        """
        self.catalogue = catalogue
        self._before = _Published(before)
        self._is_seen = np.zeros(len(catalogue.live), bool)
        self.is_current = np.zeros(len(catalogue.live), bool)
        self._pending: list[Pending] = []
        self.objects = self.indexed = self.failed = self.skipped = self.tried_again = 0
        self.missing = self.outdated = self.orphaned = 0

    def __str__(self) -> str:
        return (
            f"{self.objects} objects, {self.indexed} indexed, {self.failed} failed before, "
            f"{self.tried_again} of them retried, {self.skipped} skipped, "
            f"{self.missing} missing, {self.outdated} outdated, {self.orphaned} orphaned"
        )

    def look(self, stats: Sequence[Stat]) -> list[Wanted]:
        """The photos to index: those that the index does not know at this generation, and
        failures that may have passed."""
        keys = np.array([key_of(stat.name) for stat in stats], np.uint64).reshape(-1, 2)
        generations = np.array([stat.generation for stat in stats], np.int64)
        rows = self.catalogue.rows_of(keys)
        known, kinds, causes = self._known(rows)
        is_same = known == generations
        for i in np.flatnonzero(known > generations).tolist():
            is_same[i] = stands_for(int(known[i]), stats[i].generation)
        is_indexed = is_same & (kinds == Kind.VECTOR)
        self.is_current[rows[is_indexed]] = True
        is_failed = is_same & (kinds == Kind.FAILURE)
        is_skipped = is_failed & (causes == Cause.SKIPPED)
        # The same version of the decoder fails again.
        is_settled = is_skipped | (is_failed & (causes == DECODER))
        is_outdated = ~is_same & (kinds != Kind.TOMBSTONE) & (known > 0)
        self.objects += len(stats)
        self.indexed += int(np.count_nonzero(is_indexed))
        self.failed += int(np.count_nonzero(is_failed & ~is_skipped))
        self.skipped += int(np.count_nonzero(is_skipped))
        self.tried_again += int(np.count_nonzero(is_failed & ~is_settled))
        self.outdated += int(np.count_nonzero(is_outdated))
        self.missing += int(np.count_nonzero(~is_indexed & ~is_failed & ~is_outdated))

        at = np.where(is_failed, known, generations)
        for i in np.flatnonzero(~is_indexed & ~is_failed & (known >= generations)).tolist():
            at[i] = overruling(int(known[i]), stats[i].generation)
        todo = np.flatnonzero(~is_indexed & ~is_settled)
        todo = todo[self._not_on_its_way(keys[todo], at[todo], ~is_failed[todo])]
        return [
            Wanted(stats[i].name, stats[i].generation, stats[i].size, int(at[i]), int(known[i]))
            for i in todo.tolist()
        ]

    def orphans(self, after: str, end: str) -> Iterator[tuple[str, int]]:
        """(name, generation in the index) of the photos and failures that were in no batch.

        Only names greater than `after` and not greater than `end` ("": no limit)."""
        rows = self.catalogue.rows
        is_orphan = self.catalogue.live & (rows.kinds != Kind.TOMBSTONE) & ~self._is_seen
        for row in np.flatnonzero(is_orphan).tolist():
            name = rows.name(row)
            encoded = name.encode()
            if encoded > after.encode() and (not end or encoded <= end.encode()):
                yield name, int(rows.generations[row])

    def pending(self) -> Pending:
        """The photos to index of all batches, without the failures."""
        return Pending.concat(self._pending)

    def _known(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """The state in the index at `rows` (m,): generation, kind and cause, (m,) each.

        Without an entry (row -1) they are 0, 255 and 0. The cause is that of a failure.
        """
        is_known = rows >= 0
        rows = rows[is_known]
        self._is_seen[rows] = True
        generations = np.zeros(len(is_known), np.int64)
        kinds = np.full(len(is_known), 255, np.uint8)
        generations[is_known] = self.catalogue.rows.generations[rows]
        kinds[is_known] = self.catalogue.rows.kinds[rows]
        causes = np.zeros(len(is_known), np.int32)
        causes[is_known] = self.catalogue.rows.widths[rows]
        return generations, kinds, causes

    def _not_on_its_way(
        self,
        keys: npt.NDArray[np.uint64],
        at: npt.NDArray[np.int64],
        is_new: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.bool_]:
        """(m,) which photos to send now. Notes those that are `is_new` as pending."""
        now = time.time_ns() // 1000
        published = self._before.when(keys, at)
        # abs(): a time in the future is from a wrong clock, and the photo would wait until then.
        is_sent = np.abs(published - now) < ON_ITS_WAY_US
        published[~is_sent] = now
        self._pending.append(Pending(keys[is_new], at[is_new], published[is_new]))
        return ~is_sent


class _Published:
    """Looks up the time when the message of a photo was published."""

    def __init__(self, pending: Pending) -> None:
        keys = _sortable(pending.keys)
        order = np.argsort(keys)
        self._keys = keys[order]
        self._at = pending.generations[order]
        self._published = pending.published[order]

    def when(
        self, keys: npt.NDArray[np.uint64], at: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """(m,) µs since 1970; 0 if it was not published, or for another generation."""
        when = np.zeros(len(keys), np.int64)
        if not len(self._keys) or not len(keys):
            return when
        wanted = _sortable(keys)
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        found = (self._keys[place] == wanted) & (self._at[place] == at)
        when[found] = self._published[place[found]]
        return when


def _sortable(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bytes_]:
    return np.ascontiguousarray(keys).view("S16").reshape(-1)

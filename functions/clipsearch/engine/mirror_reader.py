"""Follows the mirror and the newer segments: what search does instead of reading the whole index.

A search keeps one version of one table, and reads the segments that its state does not name. What
is newer than the table grows, so now and then it begins again with a newer version.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from clipsearch.engine.mirrored_snapshot import mirrored
from clipsearch.engine.no_table import NoTable
from clipsearch.engine.protocol import Engine, Opened, Vectors
from clipsearch.engine.state import (
    USABLE_FOR,
    MirrorState,
    is_usable,
    read_state,
    state_numbers,
)
from clipsearch.engine.table_base import TableBase
from clipsearch.engine.union import Union
from clipsearch.errors import (
    ClipsearchError,
    DamagedObject,
    ObjectNotFound,
    Outdated,
    RowsLost,
    UnknownFormat,
)
from clipsearch.index.reader.snapshot import Snapshot
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.kept import Kept
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket

LOOK_EVERY = timedelta(seconds=30)
# Newer entries from which a newer table is worth the reads of a cold search.
WORTH_A_NEW_TABLE = 1000
# The mirror deletes versions that are older than twelve hours.
OLDEST = timedelta(hours=1)
# After a longer sleep, a reader may have missed tombstones.
SLEPT = timedelta(hours=6)
SAMPLED = 1024  # photos: a request each
# A sample is taken again when the number of photos has changed by this share.
SAMPLE_AGAIN = 0.2

_log = logging.getLogger("clipsearch")


@dataclass(frozen=True, eq=False)
class _Following:
    """One version of one table, and the reader of what is newer. `state`: None without a table."""

    state: MirrorState | None
    base: TableBase
    reader: SnapshotReader
    index: PhotoIndex
    kept: Kept
    began: datetime


class MirrorReader:
    """The photos of one space: those of the mirror and newer ones. Thread-safe.

    `dim`: of the space's vectors. `open_table`: the engine's table of this name.
    """

    def __init__(
        self,
        bucket: Bucket,
        space: str,
        dim: int,
        open_table: Callable[[str], Engine],
        now: Callable[[], datetime],
        is_sparing: bool = False,
    ) -> None:
        self._bucket, self._space, self._dim = bucket, space, dim
        self._open_table, self._now, self._is_sparing = open_table, now, is_sparing
        self._lock = threading.Lock()
        # By number and generation: whoever deletes all states begins again at the first number.
        self._states: dict[tuple[int, int], MirrorState] = {}
        self._following: _Following | None = None
        self._looked = self._refreshed = datetime.min.replace(tzinfo=now().tzinfo)
        self._sample: tuple[str, int, Vectors] | None = None  # of a table, of so many photos
        self._newer = 0  # entries

    def refresh(self) -> tuple[Snapshot, Union]:
        """Read what is new. The snapshot's catalogue has the newer entries only.

        Raises StorageError.
        """
        with self._lock:
            moment = self._now()
            following = self._next(moment)
            try:
                result = self._read(following)
            except RowsLost as lost:  # the table was deleted, or versions of it
                _log.warning("the mirror is opened again: %s", lost)
                following = self._begun(self._newest(moment), moment)
                result = self._read(following)
            self._following, self._refreshed = following, moment
            return result

    def _next(self, moment: datetime) -> _Following:
        """What to follow from now on."""
        present = self._following
        if present is None or present.base.table.lost or moment - self._refreshed > SLEPT:
            return self._begun(self._newest(moment), moment)
        if moment - self._looked < LOOK_EVERY:
            return present
        try:
            state = self._newest(moment)
            if state is not None and self._is_worth(present, state, moment):
                return self._begun(state, moment)
        except ClipsearchError as error:
            _log.warning("the mirror cannot be opened again, so search reads on: %s", error)
        return present

    def _is_worth(self, present: _Following, state: MirrorState, moment: datetime) -> bool:
        if present.state is None or present.state.table != state.table:
            return True
        if moment - present.began >= OLDEST:
            return True
        return state.whole > present.state.whole and self._newer >= WORTH_A_NEW_TABLE

    def _newest(self, moment: datetime) -> MirrorState | None:
        """The newest state whose table can be used. None: no table was ever whole.

        Raises Outdated if those that were whole cannot be used: the newer segments may lack
        tombstones, or be more than fits into memory.
        """
        self._looked = moment
        states = sorted(state_numbers(self._bucket, self._space).items(), reverse=True)
        known, self._states = self._states, {}
        whole: MirrorState | None = None
        for which in states:
            try:
                state = known.get(which) or read_state(self._bucket, self._space, which[0])
            except ObjectNotFound:  # a mirror has published more since the listing
                continue
            except UnknownFormat:
                raise
            except DamagedObject as damaged:
                _log.error("a damaged object is skipped: %s", damaged)
                continue
            self._states[which] = state
            if is_usable(state, moment):
                return state
            whole = whole or (state if state.since else None)
        if whole is None:
            return None
        raise Outdated(
            f"the mirror of space {self._space!r} in {self._bucket.url} was last whole at "
            f"{whole.whole.isoformat()}, and may be used for {USABLE_FOR.days} days, or an older "
            "version has made it: run clipsearch mirror"
        )

    def _begun(self, state: MirrorState | None, moment: datetime) -> _Following:
        table: Opened = NoTable() if state is None else self._open_table(state.table).opened()
        base = TableBase(table, state.segments if state else frozenset(), self._dim)
        reader = SnapshotReader(self._bucket, self._space, is_sparing=self._is_sparing, base=base)
        return _Following(state, base, reader, PhotoIndex(), Kept(), moment)

    def _read(self, following: _Following) -> tuple[Snapshot, Union]:
        snapshot = following.reader.refresh()
        following.index.update(snapshot)
        base, table = following.base, following.base.table
        hidden = base.hidden(snapshot.catalogue)
        newer = following.index.as_of_now()
        sampled = partial(self._sample_of, following)
        union = Union(table, newer, snapshot.catalogue, hidden, sampled, following.kept)
        self._newer = len(snapshot.catalogue.live)
        whole = following.state.whole if following.state else None
        return mirrored(snapshot, table, hidden, union.photos, whole), union

    def _sample_of(self, following: _Following) -> Vectors:
        table, state = following.base.table, following.state
        name, known = state.table if state else "", self._sample
        is_like = known is not None and known[0] == name
        if known is None or not is_like or _differs(known[1], table.photos):
            known = self._sample = name, table.photos, table.sample(SAMPLED)
        return known[2]


def _differs(one: int, other: int) -> bool:
    return abs(one - other) > SAMPLE_AGAIN * one

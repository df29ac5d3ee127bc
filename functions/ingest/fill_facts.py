"""Fills in facts of indexed photos: of an index from before facts, or after a change of a setting.

A message names rows of one segment. For each it reads the beginning of the photo and its
thumbnail, and writes an entry with the same vector and the facts. All of it may be repeated: the
merge rule keeps the newest facts of a photo. Import this inside functions only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from clipsearch.errors import DamagedObject, ObjectNotFound, StorageError, UnreadablePhoto
from clipsearch.images.decode import MAX_BYTES
from clipsearch.images.look import Look, look_of
from clipsearch.images.thumbnails import make_thumbnail, read_pixels
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.facts import Facts, Known
from clipsearch.index.format.fill import filled
from clipsearch.index.format.generations import stands_for
from clipsearch.index.format.segments import read_segment, write_entries
from ingest.facts import facts_in, facts_of
from ingest.messages import Fill
from ingest.pool import request_pool
from ingest.services import Services
from ingest.stored_thumbnails import read_thumbnail, remove_thumbnail, write_thumbnail

HEAD_BYTES = 64 << 10  # of a file: nearly all cameras write date and place into them
BATCH = 1024  # entries of a new segment; a killed run repeats at most this many

_log = logging.getLogger("clipsearch")


@dataclass(slots=True)
class Filled:
    """`count` photos have facts now. `left`: the rows without time for them, in order.

    `unreadable`: reasons by name, of photos that the next reconcile tries again.
    """

    count: int = 0
    left: list[int] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        said = f"{self.count} photos, {len(self.unreadable)} unreadable"
        return f"{said}, {len(self.left)} left" if self.left else said


def fill_facts(
    message: Fill,
    services: Services,
    keeps_places: bool | None,
    seconds: float = float("inf"),
    progress: Callable[[], object] = lambda: None,
) -> Filled:
    """Fill in the facts of the rows; begins no photo after `seconds`, except for the first one.

    Calls `progress` for each. `keeps_places`: None leaves places as they are. Photos that are gone
    or replaced are left out, and so is a segment that is gone. Raises StorageError for the index,
    NoModel, DamagedObject.
    """
    done = Filled()
    try:
        entries = read_segment(services.index, message.space, message.segment)
    except (ObjectNotFound, DamagedObject) as error:  # merged or damaged; the next reconcile sees
        _log.warning("facts of %s rows are not filled in: %s", len(message.rows), error)
        return done
    rows = [r for r in message.rows if r < len(entries) and entries.kinds[r] == Kind.VECTOR]
    look = _Looking(entries, services, keeps_places, time.monotonic() + seconds, done, progress)
    for begin in range(0, len(rows), BATCH):
        facts = look.at(rows[begin : begin + BATCH])
        if facts:
            filling = filled(entries, facts, time.time_ns() // 1000)
            write_entries(services.index, message.space, filling)
            done.count += len(facts)
    done.left.sort()
    if done.unreadable:
        name, reason = next(iter(done.unreadable.items()))
        _log.warning(
            "%s photos keep lacking facts, such as %r: %s", len(done.unreadable), name, reason
        )
    return done


class _Looking:
    """Looks for the facts of photos, until `deadline` (time.monotonic()), and notes in `done` why
    one has none."""

    def __init__(
        self,
        entries: Entries,
        services: Services,
        keeps_places: bool | None,
        deadline: float,
        done: Filled,
        progress: Callable[[], object],
    ) -> None:
        self._entries, self._services, self._keeps_places = entries, services, keeps_places
        self._deadline, self._done, self._progress = deadline, done, progress
        self._has_begun = False  # so that each message gets on, however late it is
        self._lock = Lock()  # a progress bar may not like several threads

    def at(self, rows: Sequence[int]) -> dict[int, Facts]:
        """The facts of these rows, as far as they could be found."""
        with request_pool() as pool:
            found = zip(rows, pool.map(self._one, rows), strict=True)
            return {row: facts for row, facts in found if facts is not None}

    def _one(self, row: int) -> Facts | None:
        if self._has_begun and time.monotonic() > self._deadline:
            self._done.left.append(row)
            return None
        self._has_begun = True
        name = self._entries.name(row)
        try:
            return self._facts(name, int(self._entries.generations[row]), self._keeps(row))
        except ObjectNotFound:  # its own events, or a reconcile, say so
            return None
        except (StorageError, UnreadablePhoto) as error:
            self._done.unreadable[name] = str(error)
            return None
        finally:
            with self._lock:
                self._progress()

    def _keeps(self, row: int) -> bool:
        if self._keeps_places is not None:
            return self._keeps_places
        return bool(self._entries.facts["flags"][row] & Known.KEEPS_PLACES)

    def _facts(self, name: str, at: int, keeps_places: bool) -> Facts:
        """`at`: the generation of the entry. Raises ObjectNotFound if the photo is another one."""
        photos = self._services.photos
        stat = photos.stat(name)
        if not stands_for(at, stat.generation):
            raise ObjectNotFound(name, at)
        head = memoryview(bytearray(HEAD_BYTES))
        size = photos.read_into(name, head)
        file = facts_in(head[:size], keeps_places)
        look = self._known_look(name, at)
        is_cut = size == HEAD_BYTES and not file.is_complete
        if is_cut or look is None:
            data = photos.read(name, stat.generation, most=MAX_BYTES)
            file = facts_in(data, keeps_places)
            look = look or self._new_look(name, at, stat.generation, data)
        return facts_of(file, stat.size, look, keeps_places)

    def _known_look(self, name: str, at: int) -> Look | None:
        """Of the thumbnail; None if there is none. Removes a damaged one."""
        thumbnail = read_thumbnail(name, at, self._services)
        try:
            return None if thumbnail is None else look_of(read_pixels(thumbnail))
        except UnreadablePhoto:
            remove_thumbnail(name, at, self._services)
            return None

    def _new_look(self, name: str, at: int, generation: int, data: bytes) -> Look | None:
        """Write the missing thumbnail. None if the photo cannot be decoded any more."""
        try:
            decoded = self._services.model.encoder().decode(data)
        except UnreadablePhoto:
            return None
        thumbnail = make_thumbnail(decoded.thumbnail)
        write_thumbnail(name, at, thumbnail, self._services)
        try:
            is_there = self._services.photos.stat(name).generation == generation
        except ObjectNotFound:
            is_there = False
        if not is_there:  # its deletion may have run before the thumbnail was written
            remove_thumbnail(name, at, self._services)
            raise ObjectNotFound(name, generation)
        return look_of(read_pixels(thumbnail))

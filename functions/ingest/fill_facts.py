"""Fills in what indexed photos lack (facts, thumbnails, previews) after an update or a change of a
setting.

A message names rows of one segment. It looks at each photo again (again.py) and writes an entry
with the same vector and the facts. Before that it notes the thumbnails that no entry will name. All
of it may be repeated: the merge rule keeps the newest facts of a photo. Import this inside
functions only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from clipsearch.errors import DamagedObject, ObjectNotFound, StorageError, UnreadablePhoto
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.facts import Facts, facts_of_row
from clipsearch.index.format.fill import Want, filled
from clipsearch.index.format.segments import read_segment, write_entries
from clipsearch.index.thumbnail_notes import OldThumbnail, write_note
from ingest.again import Indexed, LookAgain
from ingest.messages import Fill
from ingest.pool import request_pool
from ingest.services import Services

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
    want: Want,
    seconds: float = float("inf"),
    progress: Callable[[], object] = lambda: None,
) -> Filled:
    """Fill in the facts of the rows; begins no photo after `seconds`, except for the first one.

    Calls `progress` for each. Photos that are gone or replaced are left out, and so is a segment
    that is gone. Raises StorageError for the index, NoModel, DamagedObject.
    """
    done = Filled()
    try:
        entries = read_segment(services.index, message.space, message.segment)
    except (ObjectNotFound, DamagedObject) as error:  # merged or damaged; the next reconcile sees
        _log.warning("facts of %s rows are not filled in: %s", len(message.rows), error)
        return done
    rows = [r for r in message.rows if r < len(entries) and entries.kinds[r] == Kind.VECTOR]
    deadline = time.monotonic() + seconds
    look = _Looking(entries, LookAgain(services, want.keeps_places), deadline, done, progress)
    for begin in range(0, len(rows), BATCH):
        facts = look.at(rows[begin : begin + BATCH])
        if facts:
            now = time.time_ns() // 1000
            old = _replaced(entries, facts)
            if old:  # noted first, so that a killed run forgets none
                write_note(services.index, old, now)
            filling = filled(entries, facts, now)
            write_entries(services.index, message.space, filling)
            done.count += len(facts)
    done.left.sort()
    if done.unreadable:
        name, reason = next(iter(done.unreadable.items()))
        _log.warning(
            "%s photos keep lacking facts, such as %r: %s", len(done.unreadable), name, reason
        )
    return done


def _replaced(entries: Entries, facts: Mapping[int, Facts]) -> list[OldThumbnail]:
    """The thumbnails that the entries name and their successors with these facts do not."""
    old = {row: max(1, int(entries.facts["thumbnail"][row])) for row in facts}
    return [
        OldThumbnail(entries.name(row), int(entries.generations[row]), old[row])
        for row, found in facts.items()
        if old[row] < found.thumbnail
    ]


class _Looking:
    """Looks for the facts of photos, until `deadline` (time.monotonic()), and notes in `done` why
    one has none."""

    def __init__(
        self,
        entries: Entries,
        again: LookAgain,
        deadline: float,
        done: Filled,
        progress: Callable[[], object],
    ) -> None:
        self._entries, self._again = entries, again
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
        entries = self._entries
        photo = Indexed(
            entries.name(row),
            int(entries.generations[row]),
            int(entries.widths[row]),
            int(entries.heights[row]),
            facts_of_row(entries.facts[row]),
        )
        try:
            return self._again.facts(photo)
        except ObjectNotFound:  # its own events, or a reconcile, say so
            return None
        except (StorageError, UnreadablePhoto) as error:
            self._done.unreadable[photo.name] = str(error)
            return None
        finally:
            with self._lock:
                self._progress()

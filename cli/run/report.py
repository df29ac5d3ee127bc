"""What the terminal says about the photos: a bar while many come, a line for each one later."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from cli.run.feeder import Event, Feeder
from cli.run.model import DEMO_MODEL
from cli.run.options import Options
from clipsearch.index.format.entries import Kind
from clipsearch.text import printable

if TYPE_CHECKING:
    from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader

LINES_AT_ONCE = 20  # more of a kind than that are counted, not listed
TROUBLE_EVERY = 10.0  # seconds between two lines about events that ingest does not take


class Report:
    """Reads from the index what became of the events that `feeder` delivered.

    `reader` keeps no vectors: nobody searches here.
    """

    def __init__(self, reader: SnapshotReader, feeder: Feeder, log: Path) -> None:
        self._reader = reader
        self._feeder = feeder
        self._log = log
        self._bar: tqdm[None] | None = None
        self._fed: list[Event] = []  # while the bar is shown
        self._is_fed = False
        self._next_trouble = 0.0

    def found(self, events: list[Event], outdated: set[str]) -> None:
        """Take note of what a look at the folder gave."""
        if outdated:
            self.say(
                f"{len(outdated)} photos have older times than what the index knew under their "
                f"names, such as {min(outdated)}; the index is compared with the folder"
            )
        if self._is_fed or not events:
            return
        if self._bar is None:
            # disable=None: no bar where nobody sees it move, in a log file
            self._bar = tqdm(desc="indexing", total=len(events), unit=" photos", disable=None)
        else:
            self._bar.total += len(events)

    def show(self) -> None:
        """Say what has happened since the last call."""
        delivered = self._feeder.take_delivered()
        if self._bar is not None:
            self._fed += delivered
            self._bar.update(len(delivered))
        elif delivered:
            self._say_outcomes(delivered, failures_only=False)
        self._say_trouble()

    def ready(self, page: str, search: str) -> None:
        """Searches are answered, though not all photos may be indexed."""
        self.say(f"try:   curl '{search}?q=two+blue+mushrooms'")
        self.say(f"ready: {page}")

    def fed(self, options: Options) -> None:
        """The first feeding is over: from here on there is a line for each photo."""
        self.show()
        self.close()
        self._is_fed = True
        self._say_outcomes(self._fed, failures_only=True)
        photos = self._reader.refresh().photos
        self.say(f"{photos} photos of {options.photos} can be found; watching that folder")
        if options.model == DEMO_MODEL and not options.demo_count:
            self.say("demo model: knows drawn scenes only; --model takes one for photographs")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, line: str) -> None:
        tqdm.write(printable(line))

    def _say_trouble(self) -> None:
        troubled = self._feeder.troubled(2)
        if troubled and time.monotonic() >= self._next_trouble:
            self._next_trouble = time.monotonic() + TROUBLE_EVERY
            event, trouble = troubled[0]
            self.say(
                f"{len(troubled)} events wait for ingest, such as {event} ({trouble}); "
                f"see {self._log}"
            )

    def _say_outcomes(self, delivered: list[Event], failures_only: bool) -> None:
        catalogue = self._reader.refresh().catalogue
        indexed, removed, failed = [], [], []
        for event in delivered:
            if event.kind == "deleted":
                if not event.is_replaced:
                    removed.append(f"removed {event.name}")
                continue
            row = catalogue.row_of(event.name)
            if row is None or catalogue.rows.generations[row] != event.generation:
                continue  # gone or replaced meanwhile; there is an event for that, too
            if catalogue.rows.kinds[row] == Kind.VECTOR:
                indexed.append(f"indexed {event.name}")
            elif reason := catalogue.rows.reason(row):
                failed.append(f"cannot be indexed: {event.name}: {reason}")
        for lines in (failed,) if failures_only else (indexed, removed, failed):
            for line in lines[:LINES_AT_ONCE]:
                self.say(line)
            if len(lines) > LINES_AT_ONCE:
                self.say(f"… and {len(lines) - LINES_AT_ONCE} more")


def known_generations(snapshot: Snapshot) -> tuple[dict[str, int], dict[str, int]]:
    """The generation of each photo (or failure) in the index, and of each tombstone."""
    photos: dict[str, int] = {}
    tombstones: dict[str, int] = {}
    entries = snapshot.entries
    for row in range(len(entries)):
        known = tombstones if entries.kinds[row] == Kind.TOMBSTONE else photos
        known[entries.name(row)] = int(entries.generations[row])
    return photos, tombstones

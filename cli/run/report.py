"""What the terminal shows of the photos: a bar for the first ones, then a line for each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from tqdm import tqdm

from cli.common.output import say, warn
from cli.common.progress import bar
from cli.run.feeder import Event, Feeder
from cli.run.model import DEMO_MODEL
from cli.run.options import EXAMPLE, Options
from clipsearch.index.format.entries import Kind

if TYPE_CHECKING:
    from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader

LINES_AT_ONCE = 20  # more of a kind are counted only
TROUBLE_EVERY = 10.0  # seconds between two lines about retries


class Report:
    """Reads from the index what happened to the photos of the events that `feeder` delivered.

    `reader` keeps no vectors, which only a search needs.
    """

    def __init__(self, reader: SnapshotReader, feeder: Feeder, log: Path) -> None:
        self._reader = reader
        self._feeder = feeder
        self._log = log
        self._bar: tqdm[None] | None = None
        self._fed: list[Event] = []  # delivered while the bar is shown
        self._is_fed = False
        self._next_trouble = 0.0

    def found(self, events: list[Event], outdated: set[str]) -> None:
        """The events of a look at the folder; `outdated` needs a reconcile."""
        if outdated:
            say(
                f"{len(outdated)} photos are older than those indexed under the same names, such "
                f"as {min(outdated)}; comparing the index with the folder"
            )
        if self._is_fed or not events:
            return
        if self._bar is None:
            self._bar = bar("indexing", total=len(events))
        else:
            self._bar.total += len(events)

    def show(self) -> None:
        """Show what has happened since the last call."""
        delivered = self._feeder.take_delivered()
        if self._bar is not None:
            self._fed += delivered
            self._bar.update(len(delivered))
        elif delivered:
            self._say_outcomes(delivered, failures_only=False)
        self._say_trouble()

    def ready(self, options: Options, search: str) -> None:
        """Searches are answered at `search`. Photos may still be waiting to be indexed."""
        example = quote_plus((*options.suggestions, EXAMPLE)[0])
        say(f"try:   curl '{f'{options.page}/search/' if options.is_open else search}?q={example}'")
        if options.is_open:
            say(
                f"All who reach port {options.port} of {options.host} can see {options.photos}: "
                "there is no password."
            )
        say(f"ready: {options.page}")

    def fed(self, options: Options) -> None:
        """All photos of the start are indexed. From now on there is a line for each photo."""
        self.show()
        self.close()
        self._is_fed = True
        self._say_outcomes(self._fed, failures_only=True)
        photos = self._reader.refresh().photos
        say(f"{photos} photos of {options.photos} can be found; watching that folder")
        if not photos:
            say(f"No photos yet. Add some to {options.photos}; they appear here within seconds.")
        if options.model == DEMO_MODEL and not options.demo_count:
            say("The demo model knows drawn scenes only. --model takes one for photographs.")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _say_trouble(self) -> None:
        troubled = self._feeder.troubled(2)
        if troubled and time.monotonic() >= self._next_trouble:
            self._next_trouble = time.monotonic() + TROUBLE_EVERY
            event, trouble = troubled[0]
            warn(
                f"{len(troubled)} events are being retried, such as {event} ({trouble}); "
                f"read {self._log}"
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
                continue  # removed or replaced meanwhile, which has an event of its own
            if catalogue.rows.kinds[row] == Kind.VECTOR:
                indexed.append(f"indexed {event.name}")
            elif reason := catalogue.rows.reason(row):
                failed.append(f"cannot be indexed: {event.name}: {reason}")
        if not failures_only:
            _list(indexed, say)
            _list(removed, say)
        _list(failed, warn)


def _list(lines: list[str], show: Callable[[str], None]) -> None:
    for line in lines[:LINES_AT_ONCE]:
        show(line)
    if len(lines) > LINES_AT_ONCE:
        show(f"… and {len(lines) - LINES_AT_ONCE} more")


def known_generations(snapshot: Snapshot) -> tuple[dict[str, int], dict[str, int]]:
    """Generations by name: of the photos and failures in the index, and of its tombstones."""
    photos: dict[str, int] = {}
    tombstones: dict[str, int] = {}
    entries = snapshot.entries
    for row in range(len(entries)):
        known = tombstones if entries.kinds[row] == Kind.TOMBSTONE else photos
        known[entries.name(row)] = int(entries.generations[row])
    return photos, tombstones

"""Photos to one segment: what one bundle of Beam does.

A bundle that Beam runs again, or twice, writes the same entries once more: the merge rule makes
that harmless. Its thumbnails exist already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from cli.embed import tally
from cli.embed.embedder import Embedded
from cli.embed.job import Job, services_of
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.segments import write_entries
from ingest.messages import MAX_JSON_BYTES, MAX_PHOTO_BYTES, MAX_PHOTOS, Wanted
from ingest.reconcile.run import cut

SEGMENT = 4096  # entries; a merge of 16 such segments is a full one
LARGEST_BATCH = MAX_PHOTOS, MAX_PHOTO_BYTES, MAX_JSON_BYTES


class Bundle:
    """`embed` gets up to 256 photos at a time. Entries are durable after `finish`."""

    def __init__(self, job: Job, embed: Callable[[Sequence[Wanted]], Embedded]) -> None:
        self._job, self._embed = job, embed
        self._waiting: list[Wanted] = []
        self._entries: list[Entries] = []
        self.count: Counter[str] = Counter()

    def add(self, photos: Sequence[Wanted]) -> None:
        self._waiting += photos
        batches = list(cut(self._waiting, LARGEST_BATCH, _weight))
        self._waiting = list(batches.pop()) if batches else []
        for batch in batches:
            self._do(batch)

    def finish(self) -> None:
        if self._waiting:
            self._do(tuple(self._waiting))
            self._waiting = []
        self._write()

    def _do(self, photos: tuple[Wanted, ...]) -> None:
        done = self._embed(photos)
        self.count.update(result.outcome for result in done.results)
        self.count["bytes"] += sum(photo.size or 0 for photo in photos)
        self._entries += done.entries
        tally.add(self._job.tally, len(photos))
        if sum(map(len, self._entries)) >= SEGMENT:
            self._write()

    def _write(self) -> None:
        entries, self._entries = Entries.concat(self._entries), []
        if len(entries):
            write_entries(services_of(self._job).index, self._job.space, entries)
            self.count["segments"] += 1


def _weight(photo: Wanted) -> tuple[int, int, int]:
    return 1, photo.size or 0, len(photo.name.encode())

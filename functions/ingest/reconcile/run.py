"""Makes the index equal to the photos bucket, whatever happened before (invariant 6).

It lists the bucket once and sends the work as messages of bounded size; at the end also for photos
that lack facts. Other instances do it, through Pub/Sub, or this process (maintenance.py), or a
person's machine (cli/reconcile). A run may be repeated, and killed anywhere: the next one finds
what is left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Protocol, TypeVar

from clipsearch.errors import DamagedObject
from clipsearch.index.compaction import discard
from clipsearch.index.format.fill import Want
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reconcile_log import (
    CoverageReader,
    Part,
    Pending,
    delete_old_runs,
    new_run,
    read_part,
    write_part,
)
from clipsearch.storage import Bucket, Stat
from ingest.messages import (
    MAX_JSON_BYTES,
    MAX_PHOTO_BYTES,
    MAX_PHOTOS,
    MAX_REMOVED,
    Index,
    Message,
    Reconcile,
    Remove,
    Wanted,
)
from ingest.reconcile.comparison import Comparison
from ingest.reconcile.lacking import fills, lacking_photos
from ingest.reconcile.witness import Witness

T = TypeVar("T")

LISTED_AT_ONCE = 1000  # objects in one answer of Cloud Storage
LARGEST_INDEX = MAX_PHOTOS, MAX_PHOTO_BYTES, MAX_JSON_BYTES
LARGEST_REMOVE = MAX_REMOVED, MAX_JSON_BYTES


class Sender(Protocol):
    """Takes the messages. `keeps`: it stores them and delivers them for sure, though later."""

    keeps: bool

    def send(self, message: Message) -> None: ...

    def flush(self) -> None:
        """Return when everything sent is done, or stored somewhere else."""


def reconcile(
    photos: Bucket,
    index: Bucket,
    message: Reconcile,
    sender: Sender,
    deadline: float,
    want: Want,
) -> Comparison | None:
    """Compare one part of the bucket with the index of `message.space`, and write the record.

    After `deadline` (time.monotonic()) it sends a message that continues with the rest.
    `want`: what the photos need. Returns the comparison, or None if this part was done
    before. Raises StorageError, DamagedObject, and what `sender` raises.
    """
    space, run = message.space, message.run or new_run()
    reader = SnapshotReader(index, space, keep_vectors=False)
    done = read_part(index, space, run, message.part) if message.run else None
    comparison = None
    if done is None:
        comparison, part = _compare(photos, index, reader, message, sender, deadline)
        done = write_part(index, space, run, message.part, part)
    if done.end:
        sender.send(Reconcile(space, run, message.part + 1, done.end))
        sender.flush()
    else:
        if done.damaged:
            _discard_damaged(index, space)
        delete_old_runs(index, space)
        if comparison is None or lacking_photos(comparison.catalogue, want).any():
            for fill in fills(index, space, reader.refresh().catalogue, want):
                sender.send(fill)
            sender.flush()
    return comparison


def _compare(
    photos: Bucket,
    index: Bucket,
    reader: SnapshotReader,
    message: Reconcile,
    sender: Sender,
    deadline: float,
) -> tuple[Comparison, Part]:
    started = time.time_ns() // 1000
    space, after, end = message.space, message.after, ""
    # Read the index before the bucket: see Comparison.
    known = reader.refresh()
    catalogue = known.catalogue
    before = _on_their_way(index, space, catalogue) if sender.keeps else Pending.concat([])
    witness = Witness(photos)
    comparison = Comparison(catalogue, before)

    def wanted() -> Iterator[Wanted]:
        nonlocal end
        for batch in batches(photos, after):
            yield from comparison.look(batch)
            if time.monotonic() > deadline:
                end = batch[-1].name
                return

    for chunk in cut(wanted(), LARGEST_INDEX, _weigh_wanted):
        sender.send(Index(space, chunk))
    gone = (orphan for orphan in comparison.orphans(after, end) if witness.is_gone(orphan[0]))
    for removed in cut(gone, LARGEST_REMOVE, _weigh_gone):
        sender.send(Remove(space, removed))
        comparison.orphaned += len(removed)
    sender.flush()
    part = Part(
        objects=comparison.objects,
        indexed=comparison.indexed,
        failed=comparison.failed,
        orphaned=comparison.orphaned,
        started=started,
        finished=time.time_ns() // 1000,
        end=end,
        pending=comparison.pending(),
        damaged=tuple(sorted(known.damaged_segments)),
    )
    return comparison, part


def _discard_damaged(index: Bucket, space: str) -> None:
    """Discard segments that were damaged during the whole run. Their photos were missing, so they
    are indexed again or pending."""
    with suppress(DamagedObject):  # the record of another run, which discards by itself
        coverage = CoverageReader(index, space).newest()
        if coverage is not None:
            discard(index, space, coverage.damaged)


def batches(photos: Bucket, after: str = "") -> Iterator[list[Stat]]:
    """The photos whose names are greater than `after`, in lists of up to LISTED_AT_ONCE."""
    listed = (stat for stat in photos.list(start=after) if _is_photo(stat, after))
    while batch := list(islice(listed, LISTED_AT_ONCE)):
        yield batch


def _is_photo(stat: Stat, after: str) -> bool:
    """False for the placeholder of a folder, and for the last photo of the part before."""
    return stat.name != after and bool(stat.name) and not stat.name.endswith("/")


def _on_their_way(index: Bucket, space: str, catalogue: Catalogue) -> Pending:
    try:
        coverage = CoverageReader(index, space).newest()
    except DamagedObject:  # without the record, photos are sent twice
        coverage = None
    return coverage.pending.still(catalogue) if coverage else Pending.concat([])


def cut(
    items: Iterable[T], most: tuple[int, ...], weigh: Callable[[T], tuple[int, ...]]
) -> Iterator[tuple[T, ...]]:
    """The items in chunks. The sum of a chunk's weights is at most `most`; an item that is too
    heavy by itself is a chunk of its own."""
    chunk: list[T] = []
    total = tuple(0 for _ in most)
    for item in items:
        weight = weigh(item)
        if chunk and any(t + w > m for t, w, m in zip(total, weight, most, strict=True)):
            yield tuple(chunk)
            chunk, total = [], tuple(0 for _ in most)
        chunk.append(item)
        total = tuple(t + w for t, w in zip(total, weight, strict=True))
    if chunk:
        yield tuple(chunk)


def _weigh_wanted(photo: Wanted) -> tuple[int, int, int]:
    return 1, photo.size or 0, _json_bytes(photo.name)


def _weigh_gone(orphan: tuple[str, int]) -> tuple[int, int]:
    return 1, _json_bytes(orphan[0])


def _json_bytes(name: str) -> int:
    """The bytes of a photo in a message: its name and four numbers of at most 19 digits."""
    return len(json.dumps(name, ensure_ascii=False).encode()) + 90

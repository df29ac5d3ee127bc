"""The indexing pipeline: read, decode, thumbnail, facts (prepare.py), embed, write.

Pictures are written while later photos are decoded and encoded (storing.py). A single photo is a
batch of one. A batch becomes one segment and reads nothing of the index. So the work of an upload
does not grow with the index (invariant 10). The merge rule makes repetitions harmless (invariant
2). Import this inside functions only.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from clipsearch.errors import PhotoRefused
from clipsearch.index.format.entries import Cause, Entry, Kind
from clipsearch.index.format.generations import may_be_uploaded_after
from clipsearch.index.format.segments import write_segment
from clipsearch.index.thumbnail_notes import write_note
from clipsearch.model.encoder import Encoder
from clipsearch.telemetry import Timing
from ingest.entries import failure, tombstone, vector
from ingest.messages import Wanted
from ingest.pool import request_pool
from ingest.prepare import Prepared, prepare_photos
from ingest.read_photo import cause_of, check_storage_answers
from ingest.services import Services
from ingest.stored_thumbnails import remove_pictures_of
from ingest.writing import write_batch, write_event

EVENTS_LAST_US = 25 * 3600 * 1_000_000  # an event is delivered for a day


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one photo. `outcome`: indexed, failed, skipped or gone."""

    outcome: str
    detail: str


def index_photos(
    photos: Sequence[Wanted],
    services: Services,
    encoder: Encoder,
    timing: Timing,
    progress: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Index `photos`; returns one Result for each, in order. Calls `progress` after each.

    The photo of an event is alone. Raises StorageError and DamagedObject for faults of the
    infrastructure. Then call it again: no photo is lost.
    """
    with request_pool() as pool:
        done, vectors = prepare_photos(photos, services, encoder, timing, pool, progress)
        refused = [(p.photo.name, p.error) for p in done if isinstance(p.error, PhotoRefused)]
        check_storage_answers(refused, services.photos)
        entries = [_entry(one, vectors) for one in done]
        write = write_event if photos[0].is_of_event else write_batch
        with timing.phase("write"):
            is_lost = write(done, entries, encoder.space, services, pool)
    return list(map(_result, entries, is_lost))


def remove_photos(
    photos: Sequence[tuple[str, int]], spaces: Sequence[str], services: Services
) -> None:
    """Write into each of `spaces` that these generations of photos are gone.

    Newer generations stay, by the merge rule. Raises StorageError; all of it may be repeated.
    """
    now = time.time_ns() // 1000
    # write_event() may write pictures of these in this moment, or in the next minutes.
    young = [p for p in photos if may_be_uploaded_after(p[1], now - EVENTS_LAST_US)]
    gone = [tombstone(*photo) for photo in photos]
    with request_pool() as pool:
        writes: list[Future[Any]] = [
            pool.submit(write_segment, services.index, space, gone) for space in spaces
        ]
        if young:
            writes.append(pool.submit(write_note, services.index, (), now, young))
        for write in writes:
            write.result()
        remove_pictures_of(photos, services, pool)


def summary(results: Sequence[Result]) -> str:
    count = Counter(result.outcome for result in results)
    return (
        f"{count['indexed']} indexed, {count['failed']} failed, "
        f"{count['skipped']} skipped, {count['gone']} gone"
    )


def _entry(one: Prepared, vectors: Mapping[Wanted, Any]) -> Entry:
    photo, error = one.photo, one.error
    if photo in vectors:
        known = {"width": one.width, "height": one.height, "facts": one.facts}
        return vector(photo.name, photo.at, vector=vectors[photo], **known)
    if error:
        return failure(photo.name, photo.at, error.reason, cause_of(error))
    # The generation is gone for good; the reconcile must not wait for it.
    return tombstone(photo.name, photo.at)


def _result(entry: Entry, is_lost: bool) -> Result:
    if is_lost or entry.kind == Kind.TOMBSTONE:
        return Result("gone", "gone or replaced")
    if entry.kind == Kind.VECTOR:
        return Result("indexed", f"{entry.width} x {entry.height} pixels")
    if entry.cause == Cause.SKIPPED:
        return Result("skipped", str(entry.reason))
    return Result("failed", str(entry.reason))

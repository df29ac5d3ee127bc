"""The indexing pipeline: read, decode, thumbnail, facts (prepare.py), embed, write, look again.

A single photo is a batch of one. A batch becomes one segment and reads nothing of the index. So the
work of an upload does not grow with the index (invariant 10). The merge rule makes repetitions
harmless (invariant 2). Import this inside functions only.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clipsearch.errors import ObjectNotFound, PhotoRefused
from clipsearch.index.format.entries import Cause, Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.model.encoder import Encoder
from clipsearch.telemetry import Timing
from ingest.messages import Wanted
from ingest.pool import request_pool
from ingest.prepare import Prepared, prepared
from ingest.read_photo import cause_of, check_storage_answers
from ingest.services import Services
from ingest.stored_thumbnails import remove_pictures


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

    Raises StorageError and DamagedObject for faults of the infrastructure. Then call it again: no
    photo is lost.
    """
    entries: list[Entry] = []
    refused: list[tuple[str, PhotoRefused]] = []
    for batch in prepared(photos, services, encoder, timing):
        with timing.phase("encode"):
            entries += _entries(batch, encoder)
        refused += [(p.photo.name, p.error) for p in batch if isinstance(p.error, PhotoRefused)]
        for _ in batch:
            progress()
    check_storage_answers(refused, services.photos)
    with timing.phase("write"):
        news = [e for p, e in zip(photos, entries, strict=True) if _is_news(p, e)]
        if news:
            write_segment(services.index, encoder.space, news)
        is_lost = _look_again(photos, entries, services)
        lost = [p for p, went in zip(photos, is_lost, strict=True) if went and not p.is_of_event]
        if lost:
            write_segment(services.index, encoder.space, [tombstone(p.name, p.at) for p in lost])
    return list(map(_result, entries, is_lost))


def remove_photos(
    photos: Sequence[tuple[str, int]], spaces: Sequence[str], services: Services
) -> None:
    """Write into each of `spaces` that these generations of photos are gone.

    Newer generations stay, by the merge rule. Raises StorageError; all of it may be repeated.
    """
    for space in spaces:
        write_segment(services.index, space, [tombstone(*photo) for photo in photos])
    with request_pool() as pool:
        list(pool.map(lambda photo: remove_pictures(photo[0], photo[1], services), photos))


def summary(results: Sequence[Result]) -> str:
    count = Counter(result.outcome for result in results)
    return (
        f"{count['indexed']} indexed, {count['failed']} failed, "
        f"{count['skipped']} skipped, {count['gone']} gone"
    )


def failure(name: str, at: int, reason: str, cause: int) -> Entry:
    return _entry(name, at, Kind.FAILURE, reason=reason, cause=cause)


def tombstone(name: str, at: int) -> Entry:
    return _entry(name, at, Kind.TOMBSTONE)


def _entries(batch: Sequence[Prepared], encoder: Encoder) -> Iterator[Entry]:
    vectors = iter(encoder.encode_image([p.square for p in batch if p.square]))
    for one in batch:
        photo, error = one.photo, one.error
        if one.square:
            known = {"width": one.width, "height": one.height, "facts": one.facts}
            yield _entry(photo.name, photo.at, Kind.VECTOR, vector=next(vectors), **known)
        elif error:
            yield failure(photo.name, photo.at, error.reason, cause_of(error))
        else:  # the generation is gone for good; the reconcile must not wait for it
            yield tombstone(photo.name, photo.at)


def _is_news(photo: Wanted, entry: Entry) -> bool:
    if entry.kind == Kind.TOMBSTONE:  # a photo's own event, or its successor's, says so, too
        return not photo.is_of_event
    # An entry at the known generation says "refused" already.
    return entry.cause != Cause.REFUSED or photo.at != photo.known


def _look_again(
    photos: Sequence[Wanted], entries: Sequence[Entry], services: Services
) -> list[bool]:
    """Remove useless thumbnails; returns which photos were deleted or replaced meanwhile.

    Such a deletion may have run before the thumbnail was written. Its tombstone may also be older
    than an overruling entry.
    """

    def is_lost(photo: Wanted, entry: Entry) -> bool:
        if photo.known and photo.known != photo.at:
            remove_pictures(photo.name, photo.known, services)
        lost = entry.kind == Kind.VECTOR and not _is_there(photo, services)
        if lost or entry.kind == Kind.TOMBSTONE:
            remove_pictures(photo.name, photo.at, services)
        return lost

    with request_pool() as pool:
        return list(pool.map(is_lost, photos, entries))


def _is_there(photo: Wanted, services: Services) -> bool:
    try:
        return services.photos.stat(photo.name).generation == photo.generation
    except ObjectNotFound:
        return False


def _result(entry: Entry, is_lost: bool) -> Result:
    if is_lost or entry.kind == Kind.TOMBSTONE:
        return Result("gone", "gone or replaced")
    if entry.kind == Kind.VECTOR:
        return Result("indexed", f"{entry.width} x {entry.height} pixels")
    if entry.cause == Cause.SKIPPED:
        return Result("skipped", str(entry.reason))
    return Result("failed", str(entry.reason))


def _entry(name: str, at: int, kind: Kind, **more: Any) -> Entry:
    return Entry(name, at, kind, time_us=time.time_ns() // 1000, **more)

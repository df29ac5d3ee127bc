"""The indexing pipeline: read, decode, thumbnail, embed, write, look again.

A single photo is a batch of one. A batch becomes one segment and reads nothing of the index. So the
work of an upload does not grow with the index (invariant 10). The merge rule makes repetitions
harmless (invariant 2). Import this inside functions only.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipsearch.cpus import cpus
from clipsearch.errors import ObjectExists, ObjectNotFound, PhotoRefused, UnreadablePhoto
from clipsearch.images import thumbnails
from clipsearch.index.format.entries import Cause, Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.model.encoder import MAX_BATCH, Encoder
from clipsearch.telemetry import Timing
from ingest.messages import Wanted
from ingest.read_photo import cause_of, check_storage_answers, read_photo
from ingest.services import Services

if TYPE_CHECKING:
    from PIL import Image

REQUESTS_AT_ONCE = 8  # storage answers in tens of ms, and its client pools 10 connections
FOR_EVER = "public, max-age=31536000, immutable"  # a new generation gets a new name


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one photo. `outcome`: indexed, failed, skipped or gone."""

    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A decoded photo: `square` for the encoder, or an error, or neither if the photo is gone.

    A batch waits in memory in this form, so it lacks the larger picture of the thumbnail.
    """

    photo: Wanted
    square: Image.Image | None = None
    width: int = 0
    height: int = 0
    error: UnreadablePhoto | None = None


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
    for batch in _prepared(photos, services, encoder, timing):
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
    with _pool() as pool:
        list(pool.map(lambda photo: _remove_thumbnail(photo[0], photo[1], services), photos))


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


def _prepared(
    photos: Sequence[Wanted], services: Services, encoder: Encoder, timing: Timing
) -> Iterator[list[_Prepared]]:
    """Read and decode the photos and write their thumbnails; yields batches for the encoder."""
    # One decode a core; clipsearch.images.memory limits the memory.
    decoding = threading.BoundedSemaphore(cpus())

    def prepare(photo: Wanted) -> _Prepared:
        try:
            with timing.phase("read"):
                data = read_photo(photo.name, photo.generation, photo.size, services.photos)
        except ObjectNotFound:
            return _Prepared(photo)
        except UnreadablePhoto as error:
            return _Prepared(photo, error=_bare(error))
        try:
            with decoding:
                with timing.phase("decode"):
                    decoded = encoder.decode(data)
                with timing.phase("thumbnail"):
                    thumbnail = thumbnails.make_thumbnail(decoded.thumbnail)
        except UnreadablePhoto as error:
            return _Prepared(photo, error=_bare(error))
        with timing.phase("thumbnail"):
            _write_thumbnail(photo.name, photo.at, thumbnail, services)
        return _Prepared(photo, decoded.square, decoded.width, decoded.height)

    with _pool() as pool:
        futures = [pool.submit(prepare, photo) for photo in photos]
        for begin in range(0, len(futures), MAX_BATCH):
            yield [future.result() for future in futures[begin : begin + MAX_BATCH]]


def _bare(error: UnreadablePhoto) -> UnreadablePhoto:
    """Drop the traceback: its frames hold the bytes and the pixels of the photo."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _entries(batch: Sequence[_Prepared], encoder: Encoder) -> Iterator[Entry]:
    vectors = iter(encoder.encode_image([p.square for p in batch if p.square]))
    for prepared in batch:
        photo, error = prepared.photo, prepared.error
        if prepared.square:
            size = {"width": prepared.width, "height": prepared.height}
            yield _entry(photo.name, photo.at, Kind.VECTOR, vector=next(vectors), **size)
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
            _remove_thumbnail(photo.name, photo.known, services)
        lost = entry.kind == Kind.VECTOR and not _is_there(photo, services)
        if lost or entry.kind == Kind.TOMBSTONE:
            _remove_thumbnail(photo.name, photo.at, services)
        return lost

    with _pool() as pool:
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


def _write_thumbnail(name: str, at: int, data: bytes, services: Services) -> None:
    """`at` is the generation of the entry; `search` builds the thumbnail's name from it."""
    path = thumbnails.thumbnail_name(name, at, thumbnails.THUMBNAIL)
    # Another release of the image library may have encoded the same picture differently.
    with suppress(ObjectExists):
        services.thumbnails.create(path, data, thumbnails.CONTENT_TYPE, FOR_EVER)


def _remove_thumbnail(name: str, at: int, services: Services) -> None:
    services.thumbnails.delete(thumbnails.thumbnail_name(name, at, thumbnails.THUMBNAIL))


def _entry(name: str, at: int, kind: Kind, **facts: Any) -> Entry:
    return Entry(name, at, kind, time_us=time.time_ns() // 1000, **facts)


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """A pool for storage requests. After an error it starts no more of them."""
    with ThreadPoolExecutor(REQUESTS_AT_ONCE, "clipsearch-photos") as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise

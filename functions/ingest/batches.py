"""Many photos at once: what a message about `index` or `remove` asks for, written as one segment.

Imported on the first message, not with main.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from clipsearch.cpus import cpus
from clipsearch.errors import ObjectNotFound, PhotoRefused, UnreadablePhoto
from clipsearch.images.thumbnails import make_thumbnail
from clipsearch.index.format.entries import Cause, Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.model.encoder import MAX_BATCH, Encoder
from ingest.messages import Index, Remove, Wanted
from ingest.photos import is_there, remove_thumbnail, write_thumbnail
from ingest.reading import cause_of, check_storage_answers, read_photo
from ingest.services import Services

if TYPE_CHECKING:
    from PIL import Image

REQUESTS_AT_ONCE = 8  # storage answers in tens of ms, and its client pools 10 connections


@dataclass(frozen=True, slots=True)
class _Looked:
    """A photo that was looked at: what the encoder sees, or an error, or neither if it is gone."""

    photo: Wanted
    picture: Image.Image | None = None
    width: int = 0
    height: int = 0
    error: UnreadablePhoto | None = None


@dataclass(slots=True)
class Outcome:
    indexed: int = 0
    failed: int = 0
    skipped: int = 0
    gone: int = 0

    def __str__(self) -> str:
        return (
            f"{self.indexed} indexed, {self.failed} cannot be, "
            f"{self.skipped} skipped, {self.gone} gone"
        )


def index_photos(
    message: Index,
    services: Services,
    encoder: Encoder,
    looked: Callable[[], None] = lambda: None,
) -> Outcome:
    """Index all photos of the message; `looked` is called after each.

    Raises for every fault of the infrastructure; nothing is written then, and all of it may be
    done again.
    """
    entries: list[Entry] = []
    with _pool() as pool:
        # As many as there are cores; memory has a budget of its own.
        decoding = threading.BoundedSemaphore(cpus())
        looks = [pool.submit(_look, photo, services, encoder, decoding) for photo in message.photos]
        refused: list[tuple[str, PhotoRefused]] = []
        for batch in _batches(looks):
            entries += _entries(batch, encoder)
            refused += [
                (look.photo.name, look.error)
                for look in batch
                if isinstance(look.error, PhotoRefused)
            ]
            for _ in batch:
                looked()
    check_storage_answers(refused, services.photos)
    if entries:
        write_segment(services.index, message.space, entries)
    lost = _tidy(message.photos, entries, services)
    if lost:
        write_segment(services.index, message.space, [_tombstone(p.name, p.at) for p in lost])
    vectors = sum(entry.kind == Kind.VECTOR for entry in entries)
    gone = sum(entry.kind == Kind.TOMBSTONE for entry in entries)
    skipped = sum(entry.cause == Cause.SKIPPED for entry in entries)
    return Outcome(
        indexed=vectors - len(lost),
        failed=len(message.photos) - vectors - skipped - gone,
        skipped=skipped,
        gone=gone + len(lost),
    )


def remove_photos(message: Remove, services: Services) -> str:
    """Note that these photos are gone. A newer one of the same name stays, by the merge rule."""
    entries = [_tombstone(name, at) for name, at in message.photos]
    write_segment(services.index, message.space, entries)
    with _pool() as pool:
        for done in [pool.submit(remove_thumbnail, *p, services) for p in message.photos]:
            done.result()
    return f"{len(entries)} removed"


def _look(
    photo: Wanted, services: Services, encoder: Encoder, decoding: threading.BoundedSemaphore
) -> _Looked:
    """Also writes the thumbnail."""
    try:
        data = read_photo(photo.name, photo.generation, photo.size, services.photos)
        with decoding:
            decoded = encoder.decode(data)
            thumbnail = make_thumbnail(decoded.thumbnail)
        write_thumbnail(photo.name, photo.at, thumbnail, services)
    except ObjectNotFound:
        return _Looked(photo)
    except UnreadablePhoto as error:
        return _Looked(photo, error=error)
    return _Looked(photo, decoded.square, decoded.width, decoded.height)


def _entries(batch: Sequence[_Looked], encoder: Encoder) -> Iterator[Entry]:
    pictures = [looked.picture for looked in batch if looked.picture is not None]
    vectors = iter(encoder.encode_image(pictures))
    for looked in batch:
        photo, size = looked.photo, {"width": looked.width, "height": looked.height}
        if looked.picture is not None:
            yield _entry(photo.name, photo.at, Kind.VECTOR, vector=next(vectors), **size)
        elif looked.error is None:
            # True whatever comes after it, and so nobody waits for this photo any longer.
            yield _tombstone(photo.name, photo.at)
        elif photo.at != photo.known or not isinstance(looked.error, PhotoRefused):
            # else it was refused before, most likely, and nothing is new
            reason, cause = looked.error.reason, cause_of(looked.error)
            yield _entry(photo.name, photo.at, Kind.FAILURE, reason=reason, cause=cause)


def _tidy(photos: Sequence[Wanted], entries: Sequence[Entry], services: Services) -> list[Wanted]:
    """Remove the thumbnails that nobody needs; returns the photos that went meanwhile.

    Their deletion may have looked for the thumbnail before it was written, and may lose against
    an entry that overrules.
    """
    kinds = {entry.name: entry.kind for entry in entries}

    def is_lost(photo: Wanted) -> bool:
        if 0 < photo.known != photo.at:
            remove_thumbnail(photo.name, photo.known, services)
        kind = kinds.get(photo.name)
        lost = kind == Kind.VECTOR and not is_there(photo.name, photo.generation, services)
        if lost or kind == Kind.TOMBSTONE:
            remove_thumbnail(photo.name, photo.at, services)
        return lost

    with _pool() as pool:
        return [p for p, lost in zip(photos, pool.map(is_lost, photos), strict=True) if lost]


def _batches(looks: Sequence[Future[_Looked]]) -> Iterator[list[_Looked]]:
    """As they come to an end, in order."""
    rest = iter(looks)
    while batch := [look.result() for look in islice(rest, MAX_BATCH)]:
        yield batch


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """After an error nothing more is begun."""
    with ThreadPoolExecutor(REQUESTS_AT_ONCE, "clipsearch-photos") as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _tombstone(name: str, at: int) -> Entry:
    return _entry(name, at, Kind.TOMBSTONE)


def _entry(name: str, at: int, kind: Kind, **facts: Any) -> Entry:
    return Entry(name, at, kind, time_us=time.time_ns() // 1000, **facts)

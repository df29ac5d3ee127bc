"""A photo that came becomes a vector or a failure; one that went becomes a tombstone.

Each writes one segment with one entry and never reads the index: the work of an upload does
not grow with it (invariant 10), and the merge rule makes repetitions harmless (invariant 2).
Imported on the first event, not with main.py.
"""

import time
from contextlib import suppress
from typing import Any

from clipsearch.errors import ObjectExists, ObjectNotFound, PhotoRefused, UnreadablePhoto
from clipsearch.images import thumbnails
from clipsearch.index.format.entries import Cause, Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.timing import Timing
from ingest.answer import Answer
from ingest.events import PhotoEvent
from ingest.reading import cause_of, check_storage_answers, read_photo
from ingest.services import Services

FOR_EVER = "public, max-age=31536000, immutable"  # another generation has another name


def index(photo: PhotoEvent, services: Services, timing: Timing) -> Answer:
    """Index one generation of a photo.

    Raises for every fault of the infrastructure: StorageError, NoModel, DamagedObject.
    """
    with timing.phase("load"):
        encoder = services.model.encoder()
    try:
        with timing.phase("read"):
            data = read_photo(photo.name, photo.generation, photo.size, services.photos)
        with timing.phase("decode"):
            decoded = encoder.decode(data)
    except ObjectNotFound:
        # Its own delete, or its successor, has an event that says all there is to say.
        remove_thumbnail(photo.name, photo.generation, services)
        return Answer("gone", "gone or replaced")
    except UnreadablePhoto as error:
        if isinstance(error, PhotoRefused):
            check_storage_answers([(photo.name, error)], services.photos)
        return fail(photo, services, error.reason, cause_of(error))

    with timing.phase("thumbnail"):
        thumbnail = thumbnails.make_thumbnail(decoded.thumbnail)
        write_thumbnail(photo.name, photo.generation, thumbnail, services)
    with timing.phase("encode"):
        vector = encoder.encode_image([decoded.square])[0]
    entry = _entry(photo, Kind.VECTOR, width=decoded.width, height=decoded.height, vector=vector)
    with timing.phase("write"):
        write_segment(services.index, encoder.space, [entry])
        if not is_there(photo.name, photo.generation, services):
            # The delete may have looked for the thumbnail before it was written.
            remove_thumbnail(photo.name, photo.generation, services)
    return Answer("indexed", f"{decoded.width} x {decoded.height} pixels")


def fail(photo: PhotoEvent, services: Services, reason: str, cause: int) -> Answer:
    """Note that this generation cannot be indexed, and what failed it (Entry.cause)."""
    entry = _entry(photo, Kind.FAILURE, reason=reason, cause=cause)
    write_segment(services.index, services.model.space(), [entry])
    if cause == Cause.SKIPPED:
        return Answer("skipped", reason)
    return Answer("failed", f"cannot be indexed: {reason}")


def remove(photo: PhotoEvent, services: Services) -> Answer:
    """Note that one generation of a photo is gone. A newer one stays, by the merge rule."""
    write_segment(services.index, services.model.space(), [_entry(photo, Kind.TOMBSTONE)])
    remove_thumbnail(photo.name, photo.generation, services)
    return Answer("removed", "and its thumbnail")


def is_there(name: str, generation: int, services: Services) -> bool:
    try:
        return services.photos.stat(name).generation == generation
    except ObjectNotFound:
        return False


def write_thumbnail(name: str, generation: int, data: bytes, services: Services) -> None:
    """`generation` is that of the entry, by which search finds the thumbnail."""
    thumbnail = thumbnails.thumbnail_name(name, generation)
    # Another release of the image library may have made other bytes of the same picture.
    with suppress(ObjectExists):
        services.thumbnails.create(thumbnail, data, thumbnails.CONTENT_TYPE, FOR_EVER)


def remove_thumbnail(name: str, generation: int, services: Services) -> None:
    services.thumbnails.delete(thumbnails.thumbnail_name(name, generation))


def _entry(photo: PhotoEvent, kind: Kind, **facts: Any) -> Entry:
    now_us = time.time_ns() // 1000
    return Entry(photo.name, photo.generation, kind, time_us=now_us, **facts)

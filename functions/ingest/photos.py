"""A photo that came becomes a vector or a failure; one that went becomes a tombstone.

Each writes one segment with one entry and never reads the index: the work of an upload does
not grow with it (invariant 10), and the merge rule makes repetitions harmless (invariant 2).
Imported on the first event, not with main.py.
"""

import time
from contextlib import suppress
from typing import Any

from clipsearch import thumbnails
from clipsearch.decode import MAX_BYTES, Decoded, decode_for_encoder
from clipsearch.entries import Entry, Kind
from clipsearch.errors import (
    BadObjectName,
    ObjectExists,
    ObjectNotFound,
    ObjectUnreadable,
    PhotoTooLarge,
    UnreadablePhoto,
)
from clipsearch.segments import write_segment
from ingest.events import PhotoEvent
from ingest.services import Services

FOR_EVER = "public, max-age=31536000, immutable"  # another generation has another name


def index(photo: PhotoEvent, services: Services) -> str:
    """Index one generation of a photo; says what became of it.

    Raises for every fault of the infrastructure: StorageError, NoModel, DamagedObject.
    """
    encoder = services.model.encoder()
    try:
        decoded = decode_for_encoder(_read(photo, services), encoder.image_size)
    except ObjectNotFound:
        # Its own delete, or its successor, has an event that says all there is to say.
        _remove_thumbnail(photo, services)
        return "gone or replaced"
    except UnreadablePhoto as error:
        entry = _entry(photo, Kind.FAILURE, reason=error.reason)
        write_segment(services.index, encoder.space, [entry])
        return f"cannot be indexed: {error.reason}"

    _write_thumbnail(photo, decoded, services)
    vector = encoder.encode_image([decoded.image])[0]
    entry = _entry(photo, Kind.VECTOR, width=decoded.width, height=decoded.height, vector=vector)
    write_segment(services.index, encoder.space, [entry])
    if not _is_there(photo, services):
        # The delete may have looked for the thumbnail before it was written.
        _remove_thumbnail(photo, services)
    return f"indexed, {decoded.width} x {decoded.height} pixels"


def remove(photo: PhotoEvent, services: Services) -> str:
    """Note that one generation of a photo is gone. A newer one stays, by the merge rule."""
    write_segment(services.index, services.model.space(), [_entry(photo, Kind.TOMBSTONE)])
    _remove_thumbnail(photo, services)
    return "removed"


def _read(photo: PhotoEvent, services: Services) -> bytes:
    """The bytes of this very generation; what is too large is not read."""
    try:
        size = photo.size if photo.size is not None else services.photos.stat(photo.name).size
        if size > MAX_BYTES:
            raise PhotoTooLarge(f"{size:,} bytes; at most {MAX_BYTES:,} are allowed")
        return services.photos.read(photo.name, photo.generation)
    except (BadObjectName, ObjectUnreadable) as exc:
        # For ever: a file whose name or permissions are mended has another generation.
        raise UnreadablePhoto(f"the file cannot be read: {exc.reason}") from exc


def _is_there(photo: PhotoEvent, services: Services) -> bool:
    try:
        return services.photos.stat(photo.name).generation == photo.generation
    except ObjectNotFound:
        return False


def _entry(photo: PhotoEvent, kind: Kind, **facts: Any) -> Entry:
    now_us = time.time_ns() // 1000
    return Entry(photo.name, photo.generation, kind, time_us=now_us, **facts)


def _write_thumbnail(photo: PhotoEvent, decoded: Decoded, services: Services) -> None:
    name = thumbnails.thumbnail_name(photo.name, photo.generation)
    data = thumbnails.make_thumbnail(decoded.image)
    # Another release of the image library may have made other bytes of the same picture.
    with suppress(ObjectExists):
        services.thumbnails.create(name, data, thumbnails.CONTENT_TYPE, FOR_EVER)


def _remove_thumbnail(photo: PhotoEvent, services: Services) -> None:
    services.thumbnails.delete(thumbnails.thumbnail_name(photo.name, photo.generation))

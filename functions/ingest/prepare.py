"""Reads and decodes photos, writes their thumbnails and previews and looks for their facts.

Import this inside functions only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipsearch.cpus import cpus
from clipsearch.errors import ObjectNotFound, UnreadablePhoto
from clipsearch.images.look import look_of
from clipsearch.images.thumbnails import make_thumbnail, read_pixels
from clipsearch.index.format.facts import Facts
from clipsearch.model.encoder import MAX_BATCH, Encoder
from clipsearch.telemetry import Timing
from ingest.facts import facts_in, facts_of
from ingest.messages import Wanted
from ingest.pool import request_pool
from ingest.previews import is_needed, try_preview
from ingest.read_photo import read_photo
from ingest.services import Services
from ingest.stored_thumbnails import write_preview, write_thumbnail

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decoded photo: `square` for the encoder, or an error, or neither if the photo is gone.

    A batch waits in memory in this form, so it lacks the larger picture of the thumbnail.
    """

    photo: Wanted
    square: Image.Image | None = None
    width: int = 0
    height: int = 0
    facts: Facts | None = None
    error: UnreadablePhoto | None = None


def prepared(
    photos: Sequence[Wanted], services: Services, encoder: Encoder, timing: Timing
) -> Iterator[list[Prepared]]:
    """Prepare the photos; yields batches for the encoder. Raises StorageError."""
    # One decode a core; clipsearch.images.memory limits the memory.
    decoding = threading.BoundedSemaphore(cpus())
    keeps_places, previews = services.settings.keep_places, services.settings.previews

    def prepare(photo: Wanted) -> Prepared:
        try:
            with timing.phase("read"):
                data = read_photo(photo.name, photo.generation, photo.size, services.photos)
        except ObjectNotFound:
            return Prepared(photo)
        except UnreadablePhoto as error:
            return Prepared(photo, error=_bare(error))
        try:
            with decoding:
                with timing.phase("decode"):
                    decoded = encoder.decode(data)
                with timing.phase("thumbnail"):
                    thumbnail = make_thumbnail(decoded.thumbnail)
                with timing.phase("facts"):
                    file, look = facts_in(data, keeps_places), look_of(read_pixels(thumbnail))
                size = len(data) if photo.size is None else photo.size
                preview, has_preview = None, None
                if previews and is_needed(file, size, decoded.width, decoded.height):
                    with timing.phase("preview"):
                        preview, has_preview = try_preview(photo.name, data)
        except UnreadablePhoto as error:
            return Prepared(photo, error=_bare(error))
        with timing.phase("thumbnail"):
            write_thumbnail(photo.name, photo.at, thumbnail, services)
        if preview:
            with timing.phase("preview"):
                write_preview(photo.name, photo.at, preview, services)
        facts = facts_of(file, size, look, keeps_places, has_preview)
        return Prepared(photo, decoded.square, decoded.width, decoded.height, facts)

    with request_pool() as pool:
        futures = [pool.submit(prepare, photo) for photo in photos]
        for begin in range(0, len(futures), MAX_BATCH):
            yield [future.result() for future in futures[begin : begin + MAX_BATCH]]


def _bare(error: UnreadablePhoto) -> UnreadablePhoto:
    """Drop the traceback: its frames hold the bytes and the pixels of the photo."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)

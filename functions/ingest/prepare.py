"""Reads, decodes and encodes photos, looks for their facts, and has their pictures written.

Import this inside functions only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from clipsearch.cpus import cpus
from clipsearch.errors import ObjectNotFound, UnreadablePhoto
from clipsearch.images.look import look_of
from clipsearch.images.thumbnails import make_thumbnail, read_pixels
from clipsearch.index.format.facts import Facts
from clipsearch.model.encoder import Encoder
from clipsearch.telemetry import Timing
from ingest.facts import facts_in, facts_of
from ingest.messages import Wanted
from ingest.pool import REQUESTS_AT_ONCE, request_pool
from ingest.previews import is_needed, try_preview
from ingest.read_photo import read_photo
from ingest.services import Services
from ingest.storing import Storing

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Prepared:
    """A photo with its vector in `Vectors`, or with an error, or neither if it is gone. `storing`:
    its pictures, if it has a vector."""

    photo: Wanted
    width: int = 0
    height: int = 0
    facts: Facts | None = None
    error: UnreadablePhoto | None = None
    storing: Storing | None = None


class Vectors:
    """Encodes pictures in groups, each in the thread that completes it. `found`: by photo."""

    def __init__(self, encoder: Encoder, timing: Timing) -> None:
        self._encoder, self._timing = encoder, timing
        self._lock = threading.Lock()
        self._waiting: list[tuple[Wanted, Image.Image]] = []
        self.found: dict[Wanted, Any] = {}

    def add(self, photo: Wanted, square: Image.Image) -> None:
        with self._lock:
            self._waiting.append((photo, square))
            is_group = len(self._waiting) >= self._encoder.group
            group = self._take() if is_group else []
        self._encode(group)

    def finish(self) -> None:
        """Encode the last group. Call it after every add()."""
        self._encode(self._take())

    def _take(self) -> list[tuple[Wanted, Image.Image]]:
        taken, self._waiting = self._waiting, []
        return taken

    def _encode(self, group: list[tuple[Wanted, Image.Image]]) -> None:
        if group:
            with self._timing.phase("encode"):
                vectors = self._encoder.encode_here([square for _, square in group])
            self.found.update(zip((photo for photo, _ in group), vectors, strict=True))


def prepare_photos(
    photos: Sequence[Wanted],
    services: Services,
    encoder: Encoder,
    timing: Timing,
    storing: ThreadPoolExecutor,
    progress: Callable[[], object],
) -> tuple[list[Prepared], Mapping[Wanted, Any]]:
    """Prepare and encode the photos; returns them in order, and the vectors (D,) of those without
    an error.

    Meanwhile `storing` writes their pictures. Calls `progress` after each. Raises StorageError.
    """
    vectors = Vectors(encoder, timing)
    keeps_places, previews = services.settings.keep_places, services.settings.previews
    reads: dict[int, Future[bytes]] = {}
    unread, lock = iter(enumerate(photos)), threading.Lock()

    def read(photo: Wanted) -> bytes:
        with timing.phase("read"):
            return _read(photo, services)

    def begin_next() -> None:
        with lock:  # in order, and one for each core more than needed: so before its turn
            for number, photo in islice(unread, 1):
                reads[number] = reading.submit(read, photo)

    def prepare(number: int) -> Prepared:
        photo = photos[number]
        begin_next()
        try:
            return use(photo, reads.pop(number).result())
        except ObjectNotFound:
            return Prepared(photo)
        except UnreadablePhoto as error:
            return Prepared(photo, error=_bare(error))

    def use(photo: Wanted, data: bytes) -> Prepared:
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
        pictures = Storing(photo, thumbnail, preview, services, timing, storing)
        vectors.add(photo, decoded.square)
        facts = facts_of(file, size, look, keeps_places, has_preview)
        return Prepared(photo, decoded.width, decoded.height, facts, storing=pictures)

    done = []
    # A core decodes a photo and encodes it before the next: with threads for both, which take turns
    # on a core, each takes longer. clipsearch.images.memory limits the memory.
    ahead = REQUESTS_AT_ONCE + cpus()
    with request_pool(ahead) as reading, request_pool(cpus()) as working:
        for _ in range(ahead):
            begin_next()
        for prepared in working.map(prepare, range(len(photos))):
            done.append(prepared)
            progress()
    vectors.finish()
    return done, vectors.found


def _read(photo: Wanted, services: Services) -> bytes:
    if photo.begun is not None:
        return photo.begun.result()
    return read_photo(photo.name, photo.generation, photo.size, services.photos)


def _bare(error: UnreadablePhoto) -> UnreadablePhoto:
    """Drop the traceback: its frames hold the bytes and the pixels of the photo."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)

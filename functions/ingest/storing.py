"""Writes the pictures of a photo while others are decoded and encoded.

Import this inside functions only.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from clipsearch.errors import ObjectNotFound
from clipsearch.telemetry import Timing
from ingest.messages import Wanted
from ingest.services import Services
from ingest.stored_thumbnails import write_preview, write_thumbnail


class Storing:
    """The pictures of one photo, on their way to their bucket, and whether the photo is there.

    The look for the photo begins after its pictures are written: a deletion from then on finds
    them. The pictures of an event are written side by side, and look() begins the look.
    """

    def __init__(
        self,
        photo: Wanted,
        thumbnail: bytes,
        preview: bytes | None,
        services: Services,
        timing: Timing,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._photo, self._services, self._timing, self._pool = photo, services, timing, pool
        self._looked: Future[bool] | None = None

        def store_thumbnail() -> None:
            with timing.phase("thumbnail"):
                write_thumbnail(photo.name, photo.at, thumbnail, services)

        def store_preview() -> None:
            if preview:
                with timing.phase("preview"):
                    write_preview(photo.name, photo.at, preview, services)

        def store_and_look() -> None:
            store_thumbnail()
            store_preview()
            self.look()

        tasks = (store_thumbnail, store_preview) if photo.is_of_event else (store_and_look,)
        self._written = [pool.submit(task) for task in tasks]

    def wait(self) -> None:
        """Return when the pictures are written; raises what their writing raises."""
        for one in self._written:
            one.result()

    def look(self) -> None:
        """Begin to look for the photo."""
        self._looked = self._pool.submit(is_there, self._photo, self._services, self._timing)

    def is_there(self) -> bool:
        """Whether the photo was still there when look() began. Raises StorageError."""
        assert self._looked is not None
        return self._looked.result()


def is_there(photo: Wanted, services: Services, timing: Timing) -> bool:
    """Whether this generation of the photo is in the bucket. Raises StorageError."""
    with timing.phase("check"):
        try:
            return services.photos.stat(photo.name).generation == photo.generation
        except ObjectNotFound:
            return False

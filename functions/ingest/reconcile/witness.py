"""What looks like a deletion in a folder, and is none.

A bucket is there, or asking it is an error. A folder may be an unplugged drive, and a part of
it may be closed to this user; its photos must not be taken for deleted.
"""

from __future__ import annotations

from clipsearch.errors import ObjectNotFound, StorageError
from clipsearch.storage import Bucket, folder_path


class Witness:
    """Watches over one listing of `photos`."""

    def __init__(self, photos: Bucket) -> None:
        self._photos = photos
        self._is_folder = photos.url.startswith("file://")
        self._identity = self._look()

    def is_gone(self, name: str) -> bool:
        """Whether a photo that was not listed is really not there. StorageError if the whole
        folder is not, or is another one than it was."""
        if not self._is_folder:
            return True
        try:
            self._photos.stat(name)
        except ObjectNotFound:
            if self._identity is None or self._look() != self._identity:
                raise StorageError(f"the photos folder {self._photos.url} is gone") from None
            return True
        except StorageError:  # a folder that may not be entered
            return False
        return False  # in a folder that may not be listed

    def _look(self) -> tuple[int, int] | None:
        """What tells this folder from another in its place, such as a bare mount point."""
        if not self._is_folder:
            return None
        try:
            status = folder_path(self._photos.url).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

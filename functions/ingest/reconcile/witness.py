"""Tells a deleted photo of a folder from one that is only out of reach.

A bucket is there, or a request raises an error. But a folder may be an unplugged drive, and this
user may lack access to a part of it. Its photos are not deleted.
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
        """Whether a photo that was not listed is really gone. StorageError if the whole folder is
        gone, or another folder is in its place."""
        if not self._is_folder:
            return True
        try:
            self._photos.stat(name)
        except ObjectNotFound:
            if self._identity is None or self._look() != self._identity:
                raise StorageError(
                    f"the photos folder {self._photos.url} is gone; mount its drive, if it has one"
                ) from None
            return True
        except StorageError:  # this user may not enter its folder
            return False
        return False  # this user may not list its folder

    def _look(self) -> tuple[int, int] | None:
        """Device and inode: they tell this folder from a bare mount point in its place."""
        if not self._is_folder:
            return None
        try:
            status = folder_path(self._photos.url).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

"""The photos of a folder, by the same rules as `clipsearch run` (see FolderBucket)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.upload.photo import check_format, check_photo
from cli.upload.source import OwnFault, Unavailable
from clipsearch.errors import ObjectNotFound, ObjectUnreadable, StorageError
from clipsearch.images.decode import MAX_BYTES
from clipsearch.storage.local import FolderBucket

READS = 3  # attempts to read a file that changes meanwhile
BEGINNING = 256  # bytes, enough to detect the format


class FolderSource:
    """All files of a folder. Files that are not photos are reported."""

    prefix = ""
    is_immutable = False
    # A photo may be replaced. Not "public": the bucket may be private.
    cache_control = "max-age=3600"  # seconds

    def __init__(self, folder: Path) -> None:
        self._files = FolderBucket(folder)

    def names(self) -> Sequence[str]:
        return [stat.name for stat in self._files.list()]

    def left_out(self) -> Mapping[str, str]:
        root = os.fsencode(self._files.root)
        return {
            os.fsdecode(os.path.relpath(path, root)): reason
            for path, reason in self._files.left_out.items()
        }

    def read(self, name: str) -> bytes:
        for _ in range(READS):
            try:
                stat = self._files.stat(name)
                if stat.size > MAX_BYTES:
                    self._refuse(name, stat.size)
                return self._files.read(name, stat.generation)
            except ObjectNotFound:
                continue
            except ObjectUnreadable as error:
                raise OwnFault(f"it may not be read: {error.reason}") from error
            except StorageError as error:
                raise Unavailable(str(error)) from error
        raise Unavailable("it was removed, or changes while it is read")

    def content_type(self, data: bytes) -> str:
        return check_photo(data)

    def metadata(self, name: str) -> Mapping[str, str]:
        return {}

    def _refuse(self, name: str, size: int) -> None:
        """NotAPhoto for a film, say; OwnFault for a photo that is too large. Reads a few bytes."""
        beginning = bytearray(BEGINNING)
        self._files.read_into(name, memoryview(beginning))
        check_format(bytes(beginning))
        raise OwnFault(f"{size:,} bytes; at most {MAX_BYTES:,} are allowed")

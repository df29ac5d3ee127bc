"""Object storage: the interface `Bucket`, implemented for Cloud Storage and local folders.

Besides reading and writing, the index needs only *create if absent*. Only cli/upload replaces
objects (photos). Every implementation of `Bucket` must pass tests/storage/test_contract.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote_to_bytes, urlsplit

from clipsearch.errors import BadObjectName

MAX_NAME_BYTES = 1024  # https://cloud.google.com/storage/docs/objects#naming


@dataclass(frozen=True, slots=True)
class Stat:
    """Metadata of one generation of an object; `size` in bytes.

    `crc32c`: base64, as in Cloud Storage; None in a folder, where it would need a read."""

    name: str
    generation: int
    size: int
    content_type: str | None
    updated: datetime
    crc32c: str | None = None


class Bucket(Protocol):
    """Objects by name. Methods are thread-safe.

    Every method may raise StorageError, and BadObjectName for an invalid name.
    """

    url: str

    def create(
        self,
        name: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        """Write an object that must not exist yet.

        Raises ObjectExists if an object with other bytes has the name. Succeeds if the object
        already has these bytes: that is a retry after a lost reply.
        """

    def replace(
        self,
        name: str,
        generation: int,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        """Overwrite this generation. Raises ObjectNotFound if it was deleted or replaced.

        Succeeds if the object already has these bytes, as create() does."""

    def read(
        self,
        name: str,
        generation: int | None = None,
        start: int = 0,
        most: int | None = None,
        end: int | None = None,
    ) -> bytes:
        """The bytes from `start` up to `end`, or to the end of the object, with any
        Content-Encoding decoded. Fewer if the object ends before.

        With a `start` or an `end`, only the number of bytes is checked: a range has no checksum.
        Raises ValueError unless `end` is greater than `start`.

        Raises ObjectNotFound if the object or generation does not exist, and ObjectTooLarge above
        `most` bytes. Raises ObjectUnreadable if the storage refuses the object (permissions, key),
        or if its bytes do not match its checksum or encoding."""

    def read_into(self, name: str, buffer: memoryview) -> int:
        """Fill `buffer` with the object's first bytes; returns how many were written.

        The bytes are not verified against a checksum. Raises the errors of read()."""

    def download(self, name: str, path: Path) -> None:
        """Write the bytes to the local file `path` without holding them in memory.

        Raises the errors of read()."""

    def stat(self, name: str) -> Stat:
        """Raises ObjectNotFound if the object does not exist, and ObjectUnreadable as read()."""

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        """Objects whose name begins with `prefix` and is not below `start`, by name.

        Names sort by their UTF-8 bytes. The listing includes every change before the call;
        changes during the call may be missing.
        """

    def delete(self, name: str, generation: int | None = None) -> None:
        """Delete the object, or only its `generation` if given. Idempotent."""


def open_bucket(url: str) -> Bucket:
    """The bucket at gs://BUCKET[/PREFIX] or file:///FOLDER (created on the first write).

    Opens no connection. Raises ValueError for any other address.
    """
    if url.startswith("gs://"):
        from clipsearch.storage.gcs import GcsBucket

        return GcsBucket(url)
    from clipsearch.storage.local import FolderBucket

    return FolderBucket(folder_path(url))


def gs_parts(url: str) -> tuple[str, str]:
    """("bucket", "prefix/") of a gs:// address; the prefix is "" or ends with a slash."""
    found = re.fullmatch(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])((?:/[^/]+)*)/?", url)
    if not found:
        raise ValueError(f"{url!r} is not gs://BUCKET or gs://BUCKET/PREFIX")
    bucket, prefix = found.groups()
    return bucket, f"{prefix[1:]}/" if prefix else ""


def folder_path(url: str) -> Path:
    """The folder of a file:// address, as Path.as_uri() writes it."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not file:///ABSOLUTE/FOLDER")
    path = Path(os.fsdecode(unquote_to_bytes(parts.path)))  # may contain bytes other than UTF-8
    if not path.is_absolute() or path == Path("/"):
        raise ValueError(f"{url!r} is not file:///ABSOLUTE/FOLDER")
    return path


def check_range(start: int, end: int | None) -> None:
    """Raise ValueError unless there is a byte from `start` up to `end`."""
    if start < 0 or (end is not None and end <= start):
        raise ValueError(f"a range is 0 <= start < end, not {start!r} to {end!r}")


def check_name(name: str) -> None:
    """Raise BadObjectName for a name that no storage accepts."""
    if name in ("", ".", ".."):
        raise BadObjectName(name, "it must not be empty, '.' or '..'")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as exc:
        raise BadObjectName(name, "it is not valid UTF-8") from exc
    if size > MAX_NAME_BYTES:
        raise BadObjectName(name, f"it has {size} bytes; at most {MAX_NAME_BYTES} are allowed")

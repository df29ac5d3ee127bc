"""Object storage: the interface, and the two places where objects can be.

The index asks only one thing of a storage beyond reading and writing: *create if absent*.
Only a person who puts photos into a bucket (cli/upload) replaces any. Whoever implements `Bucket`
passes tests/storage/test_contract.py.
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
    """What is known about one generation of an object without reading it; `size` in bytes.

    `crc32c` as Cloud Storage writes it, in base64; None in a folder, where only reading tells."""

    name: str
    generation: int
    size: int
    content_type: str | None
    updated: datetime
    crc32c: str | None = None


class Bucket(Protocol):
    """Objects by name. Every method may raise StorageError, and BadObjectName for a name.

    Methods may be called from several threads at once.
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

        Raises ObjectExists if the name is taken by other bytes. If it holds these very bytes
        the call succeeds: that is a retry after a lost reply.
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
        """Write over this very generation. ObjectNotFound if it is gone or replaced.

        As with create(), these very bytes in its place are a retry after a lost reply."""

    def read(
        self,
        name: str,
        generation: int | None = None,
        start: int = 0,
        most: int | None = None,
    ) -> bytes:
        """The bytes from `start` to the end, after any Content-Encoding is undone.

        With a `start` only the number of bytes is checked: a part of an object has no checksum.

        Raises ObjectNotFound if there is no such object or generation, ObjectTooLarge if these
        are more than `most` bytes, and ObjectUnreadable if the storage refuses this object (its
        permissions or its key) or if its bytes are not what its checksum or encoding says."""

    def read_into(self, name: str, buffer: memoryview) -> int:
        """Fill `buffer` (of bytes) with the first bytes; how many there were, if not enough.

        Nothing has checked them against a checksum. Raises as read()."""

    def download(self, name: str, path: Path) -> None:
        """Write the bytes to the local file `path` without holding them in memory.

        Raises as read()."""

    def stat(self, name: str) -> Stat:
        """ObjectNotFound if there is no such object; ObjectUnreadable as read()."""

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        """Objects whose name begins with `prefix` and is not below `start`, by name.

        The order is that of the UTF-8 bytes. What was created or deleted before the call is
        seen; what happens during it may be.
        """

    def delete(self, name: str, generation: int | None = None) -> None:
        """Remove the object if it is there and, when given, of this generation. Idempotent."""


def open_bucket(url: str) -> Bucket:
    """The bucket at gs://BUCKET[/PREFIX] or file:///FOLDER (made on the first write).

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
    path = Path(os.fsdecode(unquote_to_bytes(parts.path)))  # its bytes need not be UTF-8
    if not path.is_absolute() or path == Path("/"):
        raise ValueError(f"{url!r} is not file:///ABSOLUTE/FOLDER")
    return path


def check_name(name: str) -> None:
    """Raise BadObjectName for what no storage takes as a name."""
    if name in ("", ".", ".."):
        raise BadObjectName(name, "it says nothing")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as exc:
        raise BadObjectName(name, "it cannot be written as UTF-8") from exc
    if size > MAX_NAME_BYTES:
        raise BadObjectName(name, f"it has {size} bytes, {MAX_NAME_BYTES} are allowed")

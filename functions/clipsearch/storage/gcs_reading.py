"""Reads a Cloud Storage object with a size limit and checksum, or into existing memory.

Import late: it loads the client.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Mapping
from typing import Any

from google.api_core.exceptions import RequestRangeNotSatisfiable
from google.cloud.storage import Blob
from google.cloud.storage.exceptions import DataCorruption

from clipsearch.errors import ObjectTooLarge, ObjectUnreadable, StorageError
from clipsearch.storage.checksum import crc32c

# A corrupt download is retried once; if it fails again, the object itself is damaged.
ATTEMPTS = 2
# A gzip file is a sequence of members. Even an empty one, 20 bytes long, takes 20 µs.
MAX_MEMBERS = 1000
_MEMBER = b"\x1f\x8b\x08"  # its first bytes; random data contain them once in 16 MB


class ReadBlob(Blob):  # type: ignore[misc]
    """A blob that keeps the headers of its last download."""

    answer: Mapping[str, str] = {}

    def _extract_headers_from_download(self, response: Any) -> None:
        super()._extract_headers_from_download(response)
        self.answer = response.headers


class Reader:
    """Reads one object. `name`: for errors. `options`: timeout and retry of every request."""

    def __init__(self, blob: ReadBlob, name: str, options: Mapping[str, Any]) -> None:
        self._blob, self._name, self._options = blob, name, options

    def read(self, start: int, most: int | None, end: int | None = None) -> bytes:
        """As Bucket.read(). Also raises the client's errors."""
        try:
            raw = self._checked(start, most, end)
        except RequestRangeNotSatisfiable:
            if start == 0 and end is None:
                raise
            self._blob.reload(**self._options)
            encoding, size = self._blob.content_encoding, self._blob.size
            if not encoding and start < size:
                raise
            raw = b""
        else:
            encoding = self._blob.content_encoding
        if not _is_encoded(self._name, encoding):
            if most is not None and len(raw) > most:
                raise ObjectTooLarge(self._name, most)
            return raw
        if start or end is not None:  # the range counted compressed bytes
            raw = self._checked(0, None if most is None else start + most)
        size = None if end is None else end - start
        if size is None or (most is not None and most < size):
            return _expanded(self._name, raw, start, most)
        return _expanded(self._name, raw, start, size, is_cut=True)

    def _checked(self, start: int, most: int | None, end: int | None = None) -> bytes:
        """The stored bytes from `start` up to `end`; may exceed `most` by a few bytes."""
        for attempt in range(1, ATTEMPTS + 1):
            received = _Received(self._name, most)
            try:
                self._blob.download_to_file(
                    received,
                    start=start or None,
                    end=None if end is None else end - 1,
                    raw_download=True,
                    **self._options,
                )
            except RequestRangeNotSatisfiable:
                # The object ends before `start`. But if bytes were received, the client tried to
                # resume after the last byte.
                if (start and not received.tell()) or attempt == ATTEMPTS:
                    raise
                continue
            except DataCorruption:
                if attempt == ATTEMPTS:
                    break
                continue
            data = received.getvalue()
            self._check_length(start, data, end)
            if start or end is not None or self._has_its_checksum(data):
                return data
        raise ObjectUnreadable(self._name, "its bytes do not match its checksum")

    def _check_length(self, start: int, data: bytes, end: int | None) -> None:
        """Raise StorageError if the response is not the complete requested range."""
        total = re.fullmatch(r"bytes .*/(\d+)", self._blob.answer.get("Content-Range", ""))
        last = int(total[1]) if total else 0
        last = last if end is None else min(last, end)
        if total and start + len(data) != last:
            what = f"received {start + len(data):,} of {last} bytes"
            raise StorageError(f"read {self._name!r}: {what}")
        if (start or end is not None) and not total:
            raise StorageError(f"read {self._name!r}: the storage ignored the range from {start:,}")

    def _has_its_checksum(self, data: bytes) -> bool:
        """Check a resumed download; the client checks only uninterrupted ones."""
        resumed = "Content-Range" in self._blob.answer
        return not (resumed and self._blob.crc32c) or self._blob.crc32c == crc32c(data)


class _Received(io.BytesIO):
    """Collects the stored bytes; raises ObjectTooLarge once they must exceed `most`."""

    def __init__(self, name: str, most: int | None) -> None:
        super().__init__()
        self._name, self._most = name, most

    def write(self, data: Any) -> int:
        # gzip makes incompressible data larger: 5 bytes per 16 KB, and a header.
        if self._most is not None and self.tell() + len(data) > self._most * 1.001 + 1024:
            raise ObjectTooLarge(self._name, self._most)
        return super().write(data)


def _is_encoded(name: str, encoding: str | None) -> bool:
    """Whether the bytes are gzip; raises ObjectUnreadable for any other Content-Encoding."""
    match (encoding or "").strip().lower():
        case "" | "identity":
            return False
        case "gzip" | "x-gzip":
            return True
        case several if "," in several:
            reason = f"its Content-Encoding is {encoding!r}; only one layer is supported"
            raise ObjectUnreadable(name, reason)
        case _:
            reason = f"its Content-Encoding is {encoding!r}; only gzip is supported"
            raise ObjectUnreadable(name, reason)


def _expanded(name: str, data: bytes, start: int, most: int | None, is_cut: bool = False) -> bytes:
    """`data` decompressed, from `start`. Holds at most `most` bytes (plus one) of the result.

    Raises ObjectTooLarge if there are more, or leaves them out if `is_cut`."""
    if data.count(_MEMBER) > MAX_MEMBERS:
        raise ObjectUnreadable(name, f"its gzip has more than {MAX_MEMBERS:,} members")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            file.seek(start)
            plain = file.read(-1 if most is None else most + (not is_cut))
    except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
        reason = "its Content-Encoding is gzip, but its bytes are not gzip"
        raise ObjectUnreadable(name, reason) from exc
    if not data:  # GzipFile accepts empty input as an empty file
        raise ObjectUnreadable(name, "its Content-Encoding is gzip, but it is empty")
    if most is not None and len(plain) > most:
        raise ObjectTooLarge(name, most)
    return plain


class Filling:
    """A file-like object that lets the client download into existing memory."""

    def __init__(self, buffer: memoryview) -> None:
        self._buffer, self._done = buffer, 0

    def write(self, data: bytes) -> int:
        room = self._buffer[self._done : self._done + len(data)]
        room[:] = data[: len(room)]  # a response may be longer than the range
        self._done += len(room)
        return len(data)

    def tell(self) -> int:
        return self._done

    def seek(self, position: int, whence: int = 0) -> int:
        """The client seeks when it restarts a download."""
        self._done = position
        return position

    def flush(self) -> None:
        pass

"""Undoing Content-Encoding, within a bound: gzip makes a gigabyte of a megabyte."""

from __future__ import annotations

import zlib

from clipsearch.errors import ObjectTooLarge, ObjectUnreadable

PLAIN = ("", "identity")
# Each takes 20 µs, even if it is empty and has 20 bytes.
MAX_MEMBERS = 1000


def decoded(name: str, data: bytes, encoding: str, most: int | None) -> bytes:
    """`data` of the object `name`, as it was before it was encoded.

    Raises ObjectTooLarge (more than `most` bytes), and ObjectUnreadable for another encoding than
    gzip or for bytes that are not what it says."""
    encoding = encoding.strip().lower()
    if encoding in PLAIN:
        if most is not None and len(data) > most:
            raise ObjectTooLarge(name, most)
        return data
    if encoding != "gzip":
        raise ObjectUnreadable(name, f"its Content-Encoding is {encoding!r}; only gzip is undone")
    parts: list[bytes] = []
    size = 0
    while data:  # gzip files may follow one another
        if len(parts) == MAX_MEMBERS:
            raise ObjectUnreadable(name, f"its gzip has more than {MAX_MEMBERS:,} members")
        inflate = zlib.decompressobj(wbits=31)
        left = 0 if most is None else most + 1 - size
        try:
            part = inflate.decompress(data, left)
        except zlib.error as exc:
            reason = "its Content-Encoding is gzip, but its bytes are not gzip"
            raise ObjectUnreadable(name, reason) from exc
        size += len(part)
        if most is not None and size > most:
            raise ObjectTooLarge(name, most)
        if not inflate.eof:
            raise ObjectUnreadable(name, "its Content-Encoding is gzip, but it is cut off")
        parts.append(part)
        data = inflate.unused_data
    if not parts:
        raise ObjectUnreadable(name, "its Content-Encoding is gzip, but it is empty")
    return b"".join(parts)

"""Compares an object's content with given bytes, by checksum if the storage keeps one."""

from __future__ import annotations

import base64

from clipsearch.storage import Bucket, Stat


def crc32c(data: bytes) -> str:
    """The CRC-32C in base64, as in Stat."""
    import google_crc32c

    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def holds(bucket: Bucket, there: Stat, data: bytes) -> bool:
    """Whether the object described by `there` has exactly these bytes."""
    if there.size != len(data):
        return False
    if there.crc32c is None:
        return bucket.read(there.name) == data
    return there.crc32c == crc32c(data)

"""Overrules entries with a greater generation than the photo itself.

The merge rule lets the greatest generation win. In a bucket, generations only grow. But a folder
may be restored with old times, or CLIPSEARCH_PHOTOS may name another bucket. Then the index has
an entry or tombstone that the photo's own generation cannot beat.
So reconcile writes an entry with a greater generation. Its low BITS are a digest of the photo's
own generation, which identifies it later.
"""

from __future__ import annotations

import hashlib

# 2**24 µs are 17 seconds, so the next upload nearly always has a greater generation. A wrong
# entry matches by chance once in 17 million.
BITS = 24

# The greatest generation of an event. Leaves room within 64 bits for overruling generations.
# In microseconds, the year 148,108.
MAX_GENERATION = 2**62
EARLIEST_UPLOAD = 1_104_537_600_000_000  # µs since 1970: the year 2005


def overruling(known: int, generation: int) -> int:
    """The generation for an entry about `generation` of a photo that overrules `known`.

    The least one above `known`, so that concurrent repairs agree.
    """
    candidate = (known >> BITS << BITS) | _digest(generation)
    return candidate if candidate > known else candidate + (1 << BITS)


def stands_for(known: int, generation: int) -> bool:
    """Whether an entry with generation `known` describes `generation` of the photo."""
    is_digest = known & ((1 << BITS) - 1) == _digest(generation)
    return known == generation or (known > generation and is_digest)


def may_be_uploaded_after(generation: int, time_us: int) -> bool:
    """Whether the photo may have been uploaded after `time_us` (µs since 1970).

    The generation of an object is the time of its upload in µs, in Cloud Storage (observed, not
    documented) and in a folder. A number that is no time may mean any.
    """
    return generation < EARLIEST_UPLOAD or generation > time_us


def _digest(generation: int) -> int:
    return int.from_bytes(hashlib.sha256(str(generation).encode()).digest()[: BITS // 8], "big")

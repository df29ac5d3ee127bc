"""When the index knows something newer about a photo than the photo itself.

By the merge rule the greatest generation counts, and in a bucket generations only grow. But a
folder may be put back with its old times, or CLIPSEARCH_PHOTOS may name another bucket: then
the index holds a generation, or a deletion, that no entry of the photo's own generation beats.
Reconciling gives the photo an entry of a later generation instead, which overrules what is
known and can be recognised: its low BITS are a digest of the photo's own generation.
"""

from __future__ import annotations

import hashlib

# In microseconds this is 17 seconds, so the next upload is nearly always later still. That a
# wrong entry looks like a right one has a chance of 1 in 17 million.
BITS = 24

# The greatest generation that an event may have: room for what overrules it, within 64 bits.
# In microseconds, the year 148,108.
MAX_GENERATION = 2**62


def overruling(known: int, generation: int) -> int:
    """The generation of the entry by which `generation` of a photo overrules `known`.

    The least one that is greater than `known`: all who repair the same get the same.
    """
    candidate = (known >> BITS << BITS) | _digest(generation)
    return candidate if candidate > known else candidate + (1 << BITS)


def stands_for(known: int, generation: int) -> bool:
    """Whether an entry with the generation `known` is about `generation` of the photo."""
    is_digest = known & ((1 << BITS) - 1) == _digest(generation)
    return known == generation or (known > generation and is_digest)


def _digest(generation: int) -> int:
    return int.from_bytes(hashlib.sha256(str(generation).encode()).digest()[: BITS // 8], "big")

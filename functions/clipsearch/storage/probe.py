"""Tells a fault of one object from a fault of the whole bucket."""

from __future__ import annotations

import random
from collections.abc import Collection
from itertools import islice

from clipsearch.errors import ObjectNotFound, ObjectUnreadable, StorageError
from clipsearch.storage import Bucket

LISTED = 1000  # objects: one page of Cloud Storage
TRIES = 5


def answers(bucket: Bucket, other_than: Collection[str]) -> bool:
    """Whether an object that is not among `other_than` can be listed and read at this moment.

    Looks at the first objects by name and at those behind the last of `other_than`, and reads one
    byte of up to TRIES of them. False means "not known": there may be no other object, or only
    refused ones among those tried. Raises nothing.
    """
    excluded = frozenset(other_than)
    try:
        names: set[str] = set()
        for start in {"", max(excluded, default="")}:
            listed = islice(bucket.list(start=start), LISTED + len(excluded))
            # Of an empty object no byte has to be decrypted, so reading it says nothing.
            names |= {stat.name for stat in listed if stat.size and stat.name not in excluded}
        return any(_is_readable(bucket, name) for name in _some(names))
    except StorageError:
        return False


def _some(names: Collection[str]) -> list[str]:
    """Neighbours are often refused together, so these are taken from anywhere."""
    return random.sample(sorted(names), min(TRIES, len(names)))


def _is_readable(bucket: Bucket, name: str) -> bool:
    try:
        return bucket.read_into(name, memoryview(bytearray(1))) == 1
    except (ObjectNotFound, ObjectUnreadable):
        return False

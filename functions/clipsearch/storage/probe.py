"""Distinguishes a failure of one object from a failure of the whole bucket."""

from __future__ import annotations

import random
from collections.abc import Collection
from itertools import islice

from clipsearch.errors import ObjectNotFound, ObjectUnreadable, StorageError
from clipsearch.storage import Bucket

LISTED = 1000  # objects: one page of Cloud Storage
TRIES = 5


def answers(bucket: Bucket, other_than: Collection[str]) -> bool:
    """Whether an object outside `other_than` can be listed and read now.

    Lists the first objects by name and those after the last of `other_than`. Reads one byte of up
    to TRIES of them. False means "unknown": the bucket may have no other object, or the storage
    may have refused the tried ones. Raises nothing.
    """
    excluded = frozenset(other_than)
    try:
        names: set[str] = set()
        for start in {"", max(excluded, default="")}:
            listed = islice(bucket.list(start=start), LISTED + len(excluded))
            # Reading an empty object decrypts nothing, so it proves nothing.
            names |= {stat.name for stat in listed if stat.size and stat.name not in excluded}
        return any(_is_readable(bucket, name) for name in _some(names))
    except StorageError:
        return False


def _some(names: Collection[str]) -> list[str]:
    """A random sample: the storage often refuses neighbours together."""
    return random.sample(sorted(names), min(TRIES, len(names)))


def _is_readable(bucket: Bucket, name: str) -> bool:
    try:
        return bucket.read_into(name, memoryview(bytearray(1))) == 1
    except (ObjectNotFound, ObjectUnreadable):
        return False

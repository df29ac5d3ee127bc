"""Is it one object that storage refuses, or all of them?"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from clipsearch.errors import ObjectNotFound, ObjectUnreadable, StorageError
from clipsearch.storage import Bucket

TRIED = 5


def answers(bucket: Bucket, other_than: Collection[str]) -> bool:
    """Whether some object, none of `other_than`, can be listed and read at this moment.

    False if there is no such object: then nothing tells whether a role was lost, and an event
    that comes again is the safe side."""
    try:
        others = (stat for stat in bucket.list() if stat.name not in other_than and stat.size)
        return any(_can_be_read(bucket, stat.name) for stat in islice(others, TRIED))
    except StorageError:
        return False


def _can_be_read(bucket: Bucket, name: str) -> bool:
    try:
        return bucket.read_into(name, memoryview(bytearray(1))) == 1
    except (ObjectUnreadable, ObjectNotFound):
        return False

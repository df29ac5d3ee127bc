"""The entries of one segment of the index, as it was when the command began."""

from __future__ import annotations

import logging

from clipsearch.errors import DamagedObject, ObjectNotFound, StorageError
from clipsearch.index.compaction.transaction import Inventory, read_inventory
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.packs import read_head
from clipsearch.index.format.segments import read_segment
from clipsearch.storage import Bucket

_log = logging.getLogger("clipsearch")


def segments_of(index: Bucket, space: str) -> list[tuple[str, str]]:
    """The segments that make up the index now, each with its pack or "". Raises UnknownFormat."""
    inventory: Inventory = read_inventory(index, space)
    names = [*inventory.commit.segments, *inventory.loose()]
    return [(name, inventory.commit.packs.get(name, "")) for name in names]


def read_known(index: Bucket, space: str, name: str, pack: str) -> Entries | None:
    """The entries without vectors. None if the segment is damaged: its photos are indexed again.

    Raises StorageError, also if the segment is gone: a newer one may have newer entries, and
    comparing those with an older listing could remove a photo.
    """
    try:
        if pack:
            return read_head(index, space, pack).entries
    except (DamagedObject, ObjectNotFound):
        pass
    try:
        return read_segment(index, space, name).without_vectors()
    except DamagedObject as damaged:
        _log.warning("a damaged object is skipped: %s", damaged)
        return None
    except ObjectNotFound as gone:
        raise StorageError(
            f"the segment {name} is gone: a compaction removed it meanwhile; the same command "
            "starts again"
        ) from gone

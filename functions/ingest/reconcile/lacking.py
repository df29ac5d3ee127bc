"""Finds the segments with photos that lack facts, for messages that fill them in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from clipsearch.errors import DamagedObject, ObjectNotFound, UnknownFormat
from clipsearch.images.thumbnails import THUMBNAIL
from clipsearch.index.compaction.run import in_parallel
from clipsearch.index.compaction.transaction import read_inventory
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.fill import Want, lacking
from clipsearch.index.format.packs import read_head
from clipsearch.index.format.segments import read_segment
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.storage import Bucket
from ingest.messages import MAX_FILLED, Fill

Rows = npt.NDArray[np.int64]

_NONE = np.zeros(0, np.int64)


def lacking_photos(catalogue: Catalogue, want: Want) -> npt.NDArray[np.bool_]:
    """(n,) mask of the catalogue's rows."""
    return catalogue.live & lacking(catalogue.rows, want, THUMBNAIL)


def fills(index: Bucket, space: str, catalogue: Catalogue, want: Want) -> Iterator[Fill]:
    """Messages for the photos that lack facts, each photo in one of them.

    Reads every segment, or the head of its pack. So call it only if photos lack facts.
    """
    left = lacking_photos(catalogue, want)
    if not left.any():
        return
    try:
        inventory = read_inventory(index, space)
    except UnknownFormat:  # a newer version, which fills in by itself
        return
    packs = inventory.commit.packs
    names = [*inventory.commit.segments, *inventory.loose()]

    def find(name: str) -> tuple[Rows, Rows]:
        """Rows of the segment that lack facts, and their rows in the catalogue."""
        entries = _read(index, space, name, packs.get(name))
        return (_NONE, _NONE) if entries is None else _states(entries, catalogue, want)

    for name, (rows, known) in zip(names, in_parallel(find, names), strict=True):
        wanted = rows[left[known]]
        left[known] = False
        for begin in range(0, len(wanted), MAX_FILLED):
            yield Fill(space, name, tuple(wanted[begin : begin + MAX_FILLED].tolist()))


def _read(index: Bucket, space: str, name: str, pack: str | None) -> Entries | None:
    """The entries without vectors. None if the segment is damaged or merged by now: the next
    reconcile finds its photos."""
    try:
        if pack is not None:
            return read_head(index, space, pack).entries
    except (DamagedObject, ObjectNotFound):
        pass
    try:
        return read_segment(index, space, name).without_vectors()
    except (DamagedObject, ObjectNotFound):
        return None


def _states(entries: Entries, catalogue: Catalogue, want: Want) -> tuple[Rows, Rows]:
    """The rows of the entries that are the state of a photo and lack facts, and their rows in the
    catalogue."""
    rows = np.flatnonzero(lacking(entries, want, THUMBNAIL))
    known = catalogue.rows_of(entries.keys[rows])
    rows, known = rows[known >= 0], known[known >= 0]
    is_state = entries.generations[rows] == catalogue.rows.generations[known]
    is_state &= entries.facts["flags"][rows] == catalogue.rows.facts["flags"][known]
    return rows[is_state], known[is_state]

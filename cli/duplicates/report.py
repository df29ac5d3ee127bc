"""Reads the index, and prints its stacks: the largest first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cli.common.output import result, say, warn
from cli.common.progress import bar
from cli.duplicates.find import stacks_of
from clipsearch.errors import NotReady
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.facts import Known
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reader.table import Table
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket
from clipsearch.text import printable

Rows = npt.NDArray[np.int64]


def report(bucket: Bucket, space: str) -> int:
    """Raises NotReady, DamagedObject, StorageError."""
    say(f"reading the index of model {space}")
    snapshot = SnapshotReader(bucket, space).refresh()
    if not snapshot.photos:
        raise NotReady(f"an index of photos for the model {space} in {bucket.url}")
    for line in snapshot.damaged:
        warn(f"damaged: {line}; its photos are left out")
    index = PhotoIndex()
    index.update(snapshot)
    entries = snapshot.catalogue.rows
    photos = np.flatnonzero(snapshot.catalogue.live & (entries.kinds == Kind.VECTOR))
    rows = photos[entries.facts["flags"][photos] & np.uint8(Known.LOOK) > 0]
    rows = rows[_best_first(snapshot.catalogue, rows)]
    with bar("comparing", total=len(rows)) as shown:
        leaders = stacks_of(
            entries.facts["hash"][rows], lambda ranks: index.vectors_of(rows[ranks]), shown.update
        )
    found = {
        "photos": len(photos),
        "without_facts": len(photos) - len(rows),
        "stacks": [_described(entries, stack) for stack in _largest_first(rows, leaders)],
    }
    result(found, _text(found))
    return 0


def _best_first(catalogue: Catalogue, rows: Rows) -> Rows:
    """The order of `rows`: most pixels, most bytes, oldest; then any order, but always the same."""
    entries = catalogue.rows
    pixels = entries.widths[rows].astype(np.int64) * entries.heights[rows]
    size = entries.facts["bytes"][rows].astype(np.int64)
    ranks = catalogue.ranks()[rows]
    order: Rows = np.lexsort((ranks, entries.generations[rows], -size, -pixels))
    return order


def _largest_first(rows: Rows, leaders: Rows) -> list[Rows]:
    """The rows of each stack of two or more photos."""
    sizes = np.bincount(leaders, minlength=len(leaders))
    ranks = np.flatnonzero(sizes[leaders] > 1)
    ranks = ranks[np.lexsort((ranks, leaders[ranks], -sizes[leaders[ranks]]))]
    begins = np.flatnonzero(np.diff(leaders[ranks], prepend=-1))
    return np.split(rows[ranks], begins[1:]) if len(ranks) else []


def _described(entries: Table, stack: Rows) -> list[dict[str, Any]]:
    return [
        {
            "name": entries.name(row),
            "width": int(entries.widths[row]),
            "height": int(entries.heights[row]),
            "bytes": int(entries.facts["bytes"][row]) or None,
        }
        for row in stack.tolist()
    ]


def _text(found: dict[str, Any]) -> str:
    stacks = found["stacks"]
    paragraphs = ["\n".join(map(_line, stack)) for stack in stacks]
    more = [photo for stack in stacks for photo in stack[1:]]
    size = _size(sum(photo["bytes"] or 0 for photo in more))
    last = [
        f"{found['photos']:,} photos, {len(stacks):,} stacks; {len(more):,} photos are like the "
        f"first of their stack, {size}; nothing was deleted"
        if stacks
        else f"{found['photos']:,} photos, no near-duplicates"
    ]
    if found["without_facts"]:
        last.append(
            f"{found['without_facts']:,} photos have no facts yet: run clipsearch reconcile"
        )
    return "\n\n".join([*paragraphs, "\n".join(last)])


def _line(photo: dict[str, Any]) -> str:
    size = f", {_size(photo['bytes'])}" if photo["bytes"] else ""
    return f"{printable(photo['name'])}  {photo['width']} x {photo['height']}{size}"


def _size(count: int) -> str:
    """In units of 1,000 bytes."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"

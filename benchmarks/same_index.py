"""Are two indexes of the same photos equal, entry by entry?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clipsearch.index.compaction.transaction import read_inventory
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.segments import read_segment
from clipsearch.storage import Bucket

# Of two vectors of one photo: 8-bit models round differently in batches of other sizes.
TOLERANCE = 0.003


def states(index: Bucket, space: str) -> Entries:
    """The state of each photo with its vector, in the order of the keys."""
    inventory = read_inventory(index, space)
    names = [*inventory.commit.segments, *inventory.loose()]
    entries = Entries.concat([read_segment(index, space, name) for name in names])
    wins = np.zeros(len(entries), bool)
    wins[entries.winners_by_key()] = True
    return entries.take(wins)


def differences(one: Entries, other: Entries) -> Iterator[str]:
    """What differs, in words; nothing for equal indexes. Times of entries may differ."""
    by_name = [{e.name(row): row for row in range(len(e))} for e in (one, other)]
    for name in by_name[0].keys() ^ by_name[1].keys():
        yield f"{name!r} is in one index only"
    ranks = [np.cumsum(e.kinds == Kind.VECTOR) - 1 for e in (one, other)]
    for name in sorted(by_name[0].keys() & by_name[1].keys()):
        rows = by_name[0][name], by_name[1][name]
        both = list(zip((one, other), rows, strict=True))
        for column in ("generations", "kinds", "widths", "heights", "facts"):
            values = [getattr(entries, column)[row] for entries, row in both]
            if values[0] != values[1]:
                yield f"{name!r}: {column} {values[0]} and {values[1]}"
        if one.reason(rows[0]) != other.reason(rows[1]):
            yield f"{name!r}: {one.reason(rows[0])!r} and {other.reason(rows[1])!r}"
        if all(entries.kinds[row] == Kind.VECTOR for entries, row in both):
            vectors = [
                entries.vectors[rank[row]] for (entries, row), rank in zip(both, ranks, strict=True)
            ]
            if np.abs(vectors[0] - vectors[1]).max() > TOLERANCE:
                yield f"{name!r}: its vectors"

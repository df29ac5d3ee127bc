"""Discarding: damaged segments leave the index when a reconcile has done without them.

Nothing is lost by it. What they held, readers do without already; a photo that was only there
was missing for the reconcile, and one whose tombstone was only there was an orphan.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import replace

from clipsearch.index.compaction.transaction import advance
from clipsearch.index.format.commits import Commit
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage import Bucket

# In the place of the segment that holds the entries of a replaced one: none does.
NOWHERE = "nowhere"

_log = logging.getLogger("clipsearch")


def discard(bucket: Bucket, space: str, names: Set[str]) -> None:
    """Leave these segments out, if they are damaged still; they are swept like replaced ones.

    `names`: those that a whole reconcile has done without. Raises StorageError.
    """
    damaged = SnapshotReader(bucket, space, keep_vectors=False).refresh().damaged_segments & names

    def change(newest: Commit) -> Commit | None:
        there = {name for name in damaged if newest.replaced.get(name) != NOWHERE}
        return _without(newest, there) if there else None

    if damaged and advance(bucket, space, change):
        _log.warning("damaged, reconciled, and discarded: %s", ", ".join(sorted(damaged)))


def _without(commit: Commit, damaged: Set[str]) -> Commit:
    # What was merged into a damaged segment counts again, if it is there.
    kept = {old: new for old, new in commit.replaced.items() if new not in damaged}
    return replace(
        commit,
        segments=tuple(name for name in commit.segments if name not in damaged),
        sizes={name: size for name, size in commit.sizes.items() if name not in damaged},
        packs={name: pack for name, pack in commit.packs.items() if name not in damaged},
        replaced={**kept, **dict.fromkeys(sorted(damaged), NOWHERE)},
    )

"""Vacuum: objects that nobody needs any more leave the index and are deleted.

Deleted is only what a commit older than GRACE no longer names; whoever read an older commit has
long finished with it, or finds out and looks again. Damaged segments leave the index when a whole
reconcile has done without them. Nothing is lost by it: what they held, readers do without already;
a photo that was only there was missing for the reconcile, and one whose tombstone was only there
was an orphan.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Set
from dataclasses import replace

from clipsearch.index.compaction.run import Run, in_parallel
from clipsearch.index.compaction.transaction import (
    Inventory,
    advance,
    read_inventory,
    settled_commit,
)
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.packs import parse_pack_path, quantizer_id
from clipsearch.index.format.segments import segment_path
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage import Bucket

AT_ONCE = 256  # deletions between two looks at the time
# In the place of the segment that holds the entries of a replaced one: none does.
NOWHERE = "nowhere"

_log = logging.getLogger("clipsearch")


def sweep(run: Run) -> None:
    """Delete replaced segments, packs and quantizers without use, and old commits."""
    settled, outdated = settled_commit(
        run.bucket, run.space, lambda stat: run.is_past_grace(stat.updated)
    )
    if settled is None:
        return
    inventory = read_inventory(run.bucket, run.space)
    # The same pair: a segment may have come back, when a damaged commit was started over from.
    dead = {
        old for old, new in settled.replaced.items() if inventory.commit.replaced.get(old) == new
    }
    there = sorted(dead & inventory.listed.keys())
    if _delete(run, [segment_path(run.space, name) for name in there]):
        run.deleted = frozenset(dead)
        _delete(run, [*_useless_packs(run, inventory, settled), *outdated])


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


def _useless_packs(run: Run, inventory: Inventory, settled: Commit) -> list[str]:
    """Packs and quantizers that neither commit needs, and that no later one can name.

    A run names packs of the quantizer that it found in the newest commit, or of a new one of
    its own, and lasts less than GRACE: what a killed one has left of the former is found again,
    of the latter never.
    """
    commits = inventory.commit, settled
    segments = inventory.listed.keys() - run.deleted
    quantizers = {quantizer_id(commit.quantizer) for commit in commits if commit.quantizer}
    used = {pack for commit in commits for pack in commit.packs.values()}

    def is_useful(pack: str) -> bool:
        said = parse_pack_path(pack)
        can_be_named = said and said.segment in segments and said.quantizer in quantizers
        return pack in used or bool(can_be_named)

    useless = [pack for pack in _settled(run, "packs") if not is_useful(pack)]
    quantizers |= {said.quantizer for pack in used if (said := parse_pack_path(pack))}
    return useless + [q for q in _settled(run, "quantizers") if quantizer_id(q) not in quantizers]


def _settled(run: Run, folder: str) -> list[str]:
    """Objects so old that whoever wrote them has come to an end."""
    stats = run.bucket.list(f"{run.space}/{folder}/")
    return [stat.name for stat in stats if run.is_past_grace(stat.updated)]


def _delete(run: Run, paths: Iterable[str]) -> bool:
    """Whether there was time for all of them."""
    paths = list(paths)
    for start in range(0, len(paths), AT_ONCE):
        if not run.has(0):
            return False
        part = paths[start : start + AT_ONCE]
        in_parallel(run.bucket.delete, part)
        run.report.deleted_objects += len(part)
    return True


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

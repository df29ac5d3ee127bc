"""Vacuum: removes obsolete objects from the index and deletes them.

An object is deleted once a commit older than GRACE no longer names it. A reader of an older
commit has finished by then, or detects the deletion and refreshes.

A damaged segment is marked obsolete if it stays unreadable for a whole reconcile. No entry is lost:
readers already skip the segment. The reconcile finds its photos missing, and photos whose
tombstones it held as orphans.

An object that a newer version wrote is neither: this version cannot judge what it is for. Only a
merged segment is deleted unread, because its merge has read it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Set
from dataclasses import replace

from clipsearch.errors import DamagedObject, ObjectNotFound, UnknownFormat
from clipsearch.index.compaction.run import Run, in_parallel
from clipsearch.index.compaction.transaction import (
    Inventory,
    advance,
    read_inventory,
    settled_commit,
)
from clipsearch.index.format.commits import Commit, read_commit
from clipsearch.index.format.packs import parse_pack_path, quantizer_id, read_head
from clipsearch.index.format.quantizer import read_quantizer
from clipsearch.index.format.segments import read_segment, segment_path
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage import Bucket

AT_ONCE = 256  # deletions between two deadline checks
# In `replaced`, instead of a merged segment: no segment has the entries.
NOWHERE = "nowhere"

_log = logging.getLogger("clipsearch")


def sweep(run: Run) -> None:
    """Delete replaced segments, unused packs and quantizers, and old commits."""
    settled, outdated = settled_commit(
        run.bucket, run.space, lambda stat: run.is_past_grace(stat.updated)
    )
    if settled is None:
        return
    inventory = read_inventory(run.bucket, run.space)
    # Compare pairs: after a damaged commit, a replaced segment may count again.
    dead = {
        old
        for old, new in settled.replaced.items()
        if inventory.commit.replaced.get(old) == new
        and not (new == NOWHERE and _is_newer(run, read_segment, old))
    }
    there = sorted(dead & inventory.listed.keys())
    if _delete(run, [segment_path(run.space, name) for name in there]):
        run.deleted = frozenset(dead)
        commits = [path for path in outdated if not _is_newer(run, read_commit, path)]
        _delete(run, [*_useless_packs(run, inventory, settled), *commits])


def discard(bucket: Bucket, space: str, names: Set[str]) -> None:
    """Mark the segments that are still damaged as obsolete; sweep() deletes them.

    `names`: segments that were unreadable for a whole reconcile. Those of a newer version stay.
    Raises StorageError, and UnknownFormat if the newest commit is of a newer version.
    """
    damaged = SnapshotReader(bucket, space, keep_vectors=False).refresh().damaged_segments & names

    def change(newest: Commit) -> Commit | None:
        there = {name for name in damaged if newest.replaced.get(name) != NOWHERE}
        return _without(newest, there) if there else None

    if damaged and advance(bucket, space, change):
        _log.warning("damaged segments discarded after a reconcile: %s", ", ".join(sorted(damaged)))


def _useless_packs(run: Run, inventory: Inventory, settled: Commit) -> list[str]:
    """Packs and quantizers that neither commit needs and no later one can name.

    A run takes less than GRACE. Its packs use the newest commit's quantizer, or a new one of its
    own. After a killed run, later runs reuse packs of the former, never of the latter.
    """
    commits = inventory.commit, settled
    segments = inventory.listed.keys() - run.deleted
    quantizers = {quantizer_id(commit.quantizer) for commit in commits if commit.quantizer}
    used = {pack for commit in commits for pack in commit.packs.values()}

    def is_useful(pack: str) -> bool:
        said = parse_pack_path(pack)
        if said is None:
            return True  # not ours, or with a name that a newer version gave it
        can_be_named = said.segment in segments and said.quantizer in quantizers
        return pack in used or can_be_named or _is_newer(run, read_head, pack)

    useless = [pack for pack in _settled(run, "packs") if not is_useful(pack)]
    quantizers |= {said.quantizer for pack in used if (said := parse_pack_path(pack))}
    outdated = [q for q in _settled(run, "quantizers") if quantizer_id(q) not in quantizers]
    return useless + [q for q in outdated if not _is_newer(run, read_quantizer, q)]


def _is_newer(run: Run, read: Callable[[Bucket, str, str], object], name: str) -> bool:
    """Whether a newer version wrote the object that `read` reads."""
    try:
        read(run.bucket, run.space, name)
    except UnknownFormat:
        return True
    except (DamagedObject, ObjectNotFound):
        return False
    return False


def _settled(run: Run, folder: str) -> list[str]:
    """Objects past GRACE, whose writers have ended."""
    stats = run.bucket.list(f"{run.space}/{folder}/")
    return [stat.name for stat in stats if run.is_past_grace(stat.updated)]


def _delete(run: Run, paths: Iterable[str]) -> bool:
    """Delete the objects. False if time ran out before the last."""
    paths = list(paths)
    for start in range(0, len(paths), AT_ONCE):
        if not run.has(0):
            return False
        part = paths[start : start + AT_ONCE]
        in_parallel(run.bucket.delete, part)
        run.report.deleted_objects += len(part)
    return True


def _without(commit: Commit, damaged: Set[str]) -> Commit:
    # Existing sources of a damaged segment count again.
    kept = {old: new for old, new in commit.replaced.items() if new not in damaged}
    return replace(
        commit,
        segments=tuple(name for name in commit.segments if name not in damaged),
        sizes={name: size for name, size in commit.sizes.items() if name not in damaged},
        packs={name: pack for name, pack in commit.packs.items() if name not in damaged},
        replaced={**kept, **dict.fromkeys(sorted(damaged), NOWHERE)},
    )

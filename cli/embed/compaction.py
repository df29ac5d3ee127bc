"""Merges segments and packs them, in pieces that many processes do at once.

The work is that of `ingest` (functions/clipsearch/index/compaction): any number of runs may do it
at the same time, and each may be killed anywhere. Purging and deleting is left to `ingest`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from clipsearch.errors import DamagedObject, NoModel, UnknownFormat
from clipsearch.index.compaction.build_packs import direction_in, pack_segment, to_pack
from clipsearch.index.compaction.merge import groups_of, merge
from clipsearch.index.compaction.run import Run
from clipsearch.index.compaction.transaction import advance, newest_or_blank, read_inventory
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.quantizer import read_quantizer
from clipsearch.storage import Bucket

Packed = tuple[str, str, str]  # a segment, its pack, and the quantizer of that

_log = logging.getLogger("clipsearch")


def groups(index: Bucket, space: str) -> list[list[str]]:
    """The segments to merge, each group into one. None of a newer version's index."""
    run = _run(index, space)
    try:
        return groups_of(run, read_inventory(index, space))
    except UnknownFormat as newer:
        _log.error("compaction stops: %s", newer)
        return []


def merge_group(index: Bucket, space: str, names: list[str]) -> int:
    """Merge those that nobody else has merged meanwhile; returns the number of entries."""
    run = _run(index, space)
    inventory = read_inventory(index, space)
    there = [name for name in names if name not in inventory.commit.replaced]
    merge(run, inventory, [name for name in there if name in inventory.listed])
    return run.report.merged_entries


def packs_to_make(index: Bucket, space: str) -> list[tuple[str, str]]:
    """Segments without a pack, each with the quantizer to use. May train one."""
    try:
        found = to_pack(index, newest_or_blank(index, space), partial(direction_in, index, space))
    except (NoModel, DamagedObject) as problem:
        _log.error("no packs were written for space %r: %s", space, problem)
        return []
    return [] if found is None else [(name, found.path) for name in found.segments]


def make_pack(index: Bucket, space: str, name: str, path: str) -> Packed | None:
    """None if the segment has no vectors, or is gone."""
    made = pack_segment(index, space, name, path, read_quantizer(index, space, path))
    return (name, made, path) if made else None


def publish_packs(index: Bucket, space: str, packed: Iterable[Packed]) -> int:
    """Name the packs in the next commit; returns how many it names."""
    made = list(packed)
    if not made:
        return 0

    def change(newest: Commit) -> Commit | None:
        new = {name: pack for name, pack, _ in made if name in newest.segments}
        following = replace(newest, packs={**newest.packs, **new}, quantizer=made[0][2])
        return following if following != newest else None

    advance(index, space, change)
    return len(made)


def _run(index: Bucket, space: str) -> Run:
    return Run(index, space, float("inf"), datetime.now(UTC))

"""Selects segments to merge and merges them."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence

from clipsearch.errors import DamagedObject
from clipsearch.index.compaction.run import GRACE, Run
from clipsearch.index.compaction.transaction import Inventory, read_inventory
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.segments import segment_path

FANOUT = 16
MAX_SEGMENT = 65_536  # entries
# Per merge: these can be read within seconds and fit in memory.
MAX_SOURCES, MAX_SOURCE_BYTES = 1024, 160 << 20
# Estimates for the deadline: 8 parallel requests of 25 ms each. On two cores with a local index,
# 140 MB take 4 s.
SOURCE_S, BYTES_PER_S = 0.003, 30e6


def merge_all(run: Run) -> bool:
    """Merge until nothing is left to merge (True) or time runs out (False)."""
    while True:
        inventory = read_inventory(run.bucket, run.space)
        groups = groups_of(run, inventory)
        if not groups:
            return True
        random.shuffle(groups)  # concurrent runs start with different groups
        has_begun = False
        for names in groups:
            if run.has(_seconds(inventory, names)):
                merge(run, inventory, names)
                has_begun = True
        if not has_begun:
            return False


def groups_of(run: Run, inventory: Inventory) -> list[list[str]]:
    """The segments to merge, each group into one segment."""
    loose = [name for name in inventory.loose() if name not in run.damaged]
    # A few loose segments wait for more, but not longer than GRACE.
    is_due = any(run.is_past_grace(inventory.listed[name].updated) for name in loose)
    groups = _cut(inventory, loose) if is_due or len(loose) >= FANOUT else []
    for names in _tiers(inventory.commit, run.damaged):
        groups += [group for group in _cut(inventory, names) if len(group) > 1]
    return groups


def merge(run: Run, inventory: Inventory, names: Sequence[str]) -> None:
    """Merge the named segments that are readable and fit into one."""
    parts = _fitting(run, run.read(names))
    if not parts:
        return
    sources = list(parts)
    entries = Entries.concat(list(parts.values()))
    del parts  # avoids a third copy in memory
    wins = entries.winners()
    if not wins.all():
        entries = entries.take(wins)

    def is_valid(newest: Commit) -> bool:
        # Not monotonic(): it may stop while the machine sleeps.
        is_recent = time.time() - inventory.taken < GRACE.total_seconds() / 2
        return is_recent and all(_is_there(name, inventory.commit, newest) for name in sources)

    if run.replace(sources, entries, is_valid):
        run.report.merges += 1
        run.report.merged_entries += len(entries)


def _seconds(inventory: Inventory, names: Sequence[str]) -> float:
    """Estimated duration of the merge."""
    size = sum(inventory.listed[name].size for name in names if name in inventory.listed)
    return len(names) * SOURCE_S + size / BYTES_PER_S


def _is_there(name: str, before: Commit, newest: Commit) -> bool:
    """Whether the segment still counts, and no other has replaced it since `before`."""
    return name in newest.segments if name in before.segments else name not in newest.replaced


def _fitting(run: Run, parts: dict[str, Entries]) -> dict[str, Entries]:
    """The parts that fit into one segment, at least one. Marks parts of rarer dimension damaged."""
    dimensions = Counter(p.vectors.shape[1] for p in parts.values() if len(p.vectors))
    usual = max(dimensions, key=dimensions.__getitem__, default=0)
    fitting: dict[str, Entries] = {}
    size = 0
    for name, part in parts.items():
        found = part.vectors.shape[1] if len(part.vectors) else usual
        if found != usual:
            reason = f"its vectors have {found} dimensions, those of other segments {usual}"
            run.mark_damaged(name, DamagedObject(segment_path(run.space, name), reason))
        elif not fitting or size + len(part) <= MAX_SEGMENT:
            fitting[name] = part
            size += len(part)
    return fitting


def _tiers(commit: Commit, damaged: set[str]) -> list[list[str]]:
    """The segments of each tier with at least FANOUT of them; full segments have no tier."""
    tiers: dict[int, list[str]] = {}
    for name in commit.segments:
        size = commit.sizes.get(name, 1)
        if name not in damaged and size <= MAX_SEGMENT // 2:
            tiers.setdefault(_tier(size), []).append(name)
    return [names for names in tiers.values() if len(names) >= FANOUT]


def _tier(size: int) -> int:
    return 0 if size < FANOUT else 1 + _tier(size // FANOUT)


def _cut(inventory: Inventory, names: Sequence[str]) -> list[list[str]]:
    """Groups within the limits of one merge: sources, bytes, and entries where known."""
    groups: list[list[str]] = []
    entries = size = 0
    for name in names:
        more_entries = inventory.commit.sizes.get(name, 1)
        more = inventory.listed[name].size if name in inventory.listed else 0
        is_full = not groups or len(groups[-1]) == MAX_SOURCES
        if is_full or entries + more_entries > MAX_SEGMENT or size + more > MAX_SOURCE_BYTES:
            groups.append([])
            entries = size = 0
        groups[-1].append(name)
        entries, size = entries + more_entries, size + more
    return groups

"""Merging: which segments, and how."""

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
# Of one merge: what can be read within seconds, and held in memory.
MAX_SOURCES, MAX_SOURCE_BYTES = 1024, 160 << 20
# To tell what a run has time for: 8 requests at a time, of 25 ms; and on two cores, with the
# index in a folder, 140 MB take 4 s.
SOURCE_S, BYTES_PER_S = 0.003, 30e6


def merge_all(run: Run) -> bool:
    """Merge until nothing is left to merge (True), or no time for it."""
    while True:
        inventory = read_inventory(run.bucket, run.space)
        groups = groups_of(run, inventory)
        if not groups:
            return True
        random.shuffle(groups)  # several runs at once begin with different ones
        has_begun = False
        for names in groups:
            if run.has(_seconds(inventory, names)):
                merge(run, inventory, names)
                has_begun = True
        if not has_begun:
            return False


def groups_of(run: Run, inventory: Inventory) -> list[list[str]]:
    """What should be merged, each group into one segment."""
    loose = [name for name in inventory.loose() if name not in run.damaged]
    # Few may wait for more to come, but not for ever.
    is_due = any(run.is_past_grace(inventory.listed[name].updated) for name in loose)
    groups = _cut(inventory, loose) if is_due or len(loose) >= FANOUT else []
    for names in _tiers(inventory.commit, run.damaged):
        groups += [group for group in _cut(inventory, names) if len(group) > 1]
    return groups


def merge(run: Run, inventory: Inventory, names: Sequence[str]) -> None:
    """Merge the segments of these names, as far as they can be read and fit into one."""
    parts = _fitting(run, run.read(names))
    if not parts:
        return
    sources = list(parts)
    entries = Entries.concat(list(parts.values()))
    del parts  # so that there are never three copies
    wins = entries.winners()
    if not wins.all():
        entries = entries.take(wins)

    def is_valid(newest: Commit) -> bool:
        # Not monotonic(), which stands still while a machine sleeps.
        is_recent = time.time() - inventory.taken < GRACE.total_seconds() / 2
        return is_recent and all(_is_there(name, inventory.commit, newest) for name in sources)

    if run.replace(sources, entries, is_valid):
        run.report.merges += 1
        run.report.merged_entries += len(entries)


def _seconds(inventory: Inventory, names: Sequence[str]) -> float:
    """About how long it takes to merge them."""
    size = sum(inventory.listed[name].size for name in names if name in inventory.listed)
    return len(names) * SOURCE_S + size / BYTES_PER_S


def _is_there(name: str, before: Commit, newest: Commit) -> bool:
    """Whether a segment that counted still does, and not another that holds its entries."""
    return name in newest.segments if name in before.segments else name not in newest.replaced


def _fitting(run: Run, parts: dict[str, Entries]) -> dict[str, Entries]:
    """As many as one segment may hold, at least one; those of a rarer dimension are damaged."""
    dimensions = Counter(p.vectors.shape[1] for p in parts.values() if len(p.vectors))
    usual = max(dimensions, key=dimensions.__getitem__, default=0)
    fitting: dict[str, Entries] = {}
    size = 0
    for name, part in parts.items():
        found = part.vectors.shape[1] if len(part.vectors) else usual
        if found != usual:
            reason = f"its vectors have {found} numbers, those of others {usual}"
            run.mark_damaged(name, DamagedObject(segment_path(run.space, name), reason))
        elif not fitting or size + len(part) <= MAX_SEGMENT:
            fitting[name] = part
            size += len(part)
    return fitting


def _tiers(commit: Commit, damaged: set[str]) -> list[list[str]]:
    """The segments of each tier that has enough of them; full ones are in none."""
    tiers: dict[int, list[str]] = {}
    for name in commit.segments:
        size = commit.sizes.get(name, 1)
        if name not in damaged and size <= MAX_SEGMENT // 2:
            tiers.setdefault(_tier(size), []).append(name)
    return [names for names in tiers.values() if len(names) >= FANOUT]


def _tier(size: int) -> int:
    return 0 if size < FANOUT else 1 + _tier(size // FANOUT)


def _cut(inventory: Inventory, names: Sequence[str]) -> list[list[str]]:
    """Groups that one merge can take: by number, by bytes, and by entries where known."""
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

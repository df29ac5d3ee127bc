"""The purge: once a day, removes obsolete entries from all segments, including full ones.

It reads the whole index, so it also detects damage. Memory: about 100 bytes per entry, and one
segment or pack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.errors import DamagedObject, ObjectNotFound, UnknownFormat
from clipsearch.index.compaction.run import WORTH_BEGINNING_S, Run, in_parallel
from clipsearch.index.compaction.transaction import Inventory, advance, read_inventory
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.packs import WRONG_ROWS, read_head, read_rows
from clipsearch.index.format.segments import read_segment

EVERY = timedelta(days=1)
# Events cannot be this late: Cloud Storage stops retrying after a day.
TOMBSTONES = timedelta(days=7)
# A segment is rewritten if at least this share of its entries is obsolete.
WORTH_IT = 0.3
# With more objects, the index is being filled: a later run purges.
MAX_OBJECTS = 4096
LARGE = 1 << 20  # bytes; larger segments are read one by one

Mask = npt.NDArray[np.bool_]


def purge_tombstones(run: Run) -> bool:
    """Rewrite the segments with many obsolete entries. False if the purge is not finished.

    Purges never overlap: each publishes `purged` and stops if another run has changed it.
    Otherwise two purges could each drop one of two equal entries, and lose both.
    """
    inventory = read_inventory(run.bucket, run.space)
    before = inventory.commit.purged
    if not inventory.commit.segments or (before and run.now - before < EVERY):
        return True
    if len(inventory.listed) > MAX_OBJECTS or not run.has(WORTH_BEGINNING_S):
        return False
    keep = kept_rows(run, inventory)
    if not run.has(0):
        return False
    for name, rows in keep.items():
        if not run.has(0):
            return False
        entries = run.read([name]).get(name)
        if entries is None:  # only its pack is readable
            continue
        if not _rewrite(run, name, entries, rows, before):
            return False
        before = run.now
    if before != run.now:
        done = partial(replace, purged=run.now)
        return advance(run.bucket, run.space, done, run.deadline) is not None
    return True


def kept_rows(run: Run, inventory: Inventory) -> dict[str, Mask]:
    """For each segment to rewrite: a mask (n,) of the rows to keep."""
    committed = _facts(run, inventory, inventory.commit.segments)
    others = _facts(run, inventory, inventory.listed.keys() - set(inventory.commit.segments))
    table = Entries.concat(list(committed.values()))
    # Uncommitted segments do not compete here: another run may be merging them.
    keep = table.winners()
    if not run.damaged:  # an unreadable segment may have entries about the photo
        keys = np.sort(np.concatenate([_sortable(e) for e in (table, *others.values())]))
        keep &= ~_forgettable(table, keys, run.now)
    result, start = {}, 0
    for name, entries in committed.items():
        rows = keep[start : start + len(entries)]
        start += len(entries)
        if np.count_nonzero(~rows) >= WORTH_IT * len(rows):
            rows[-1] |= not rows.any()  # a segment needs at least one entry
            if not rows.all():
                result[name] = rows
    return result


def _forgettable(table: Entries, keys: npt.NDArray[Any], now: datetime) -> Mask:
    """(n,) mask of old tombstones whose key occurs once; `keys`: all keys, sorted."""
    oldest = int((now - TOMBSTONES).timestamp() * 1e6)
    found: Mask = (table.kinds == Kind.TOMBSTONE) & (table.times <= oldest)
    mine = _sortable(table)[found]
    occurrences = np.searchsorted(keys, mine, "right") - np.searchsorted(keys, mine, "left")
    found[found] = occurrences == 1
    return found


def _rewrite(run: Run, name: str, entries: Entries, rows: Mask, purged: datetime | None) -> bool:
    def is_valid(newest: Commit) -> bool:
        return name in newest.segments and newest.purged == purged

    done = run.replace([name], entries.take(rows), is_valid, purged=run.now)
    run.report.purged_entries += int(np.count_nonzero(~rows)) if done else 0
    return done


def _facts(run: Run, inventory: Inventory, names: Iterable[str]) -> Mapping[str, Entries]:
    """The merge rule's columns of these segments. Marks unreadable segments as damaged."""

    packs = inventory.commit.packs  # half the size of segments

    def read_one(name: str) -> Entries | DamagedObject | None:
        if not run.has(0):
            return None
        try:
            if name in packs:
                try:
                    return _bare(_whole(run, packs[name]))
                except UnknownFormat:
                    pass  # of use to the version that wrote it
                except (DamagedObject, ObjectNotFound):
                    run.damaged_packs.add(packs[name])
            return _bare(read_segment(run.bucket, run.space, name))
        except DamagedObject as damaged:
            return damaged
        except ObjectNotFound:
            return None

    def is_large(name: str) -> bool:
        return name in packs or (name in inventory.listed and inventory.listed[name].size > LARGE)

    names = sorted(sorted(set(names) - run.damaged), key=is_large)
    small = [name for name in names if not is_large(name)]
    read = in_parallel(read_one, small) + [read_one(name) for name in names[len(small) :]]
    for name, found in zip(names, read, strict=True):
        if not isinstance(found, Entries):
            run.mark_damaged(name, found)
    return {n: found for n, found in zip(names, read, strict=True) if isinstance(found, Entries)}


def _whole(run: Run, path: str) -> Entries:
    """The entries of a pack, with its rows verified. Raises DamagedObject, ObjectNotFound."""
    head = read_head(run.bucket, run.space, path)
    rows = np.empty(2 * len(head.codes) * head.dimension, np.uint8)
    if read_rows(run.bucket, path, rows) != head.checksum:
        raise DamagedObject(path, WRONG_ROWS)
    return head.entries


def _bare(entries: Entries) -> Entries:
    nothing = Entries.from_entries([])
    return replace(
        nothing,
        keys=entries.keys,
        generations=entries.generations,
        kinds=entries.kinds,
        times=entries.times,
        facts=entries.facts,
    )


def _sortable(entries: Entries) -> npt.NDArray[Any]:
    """The keys as (n,) strings of 16 bytes."""
    return np.ascontiguousarray(entries.keys).view("S16").reshape(-1)

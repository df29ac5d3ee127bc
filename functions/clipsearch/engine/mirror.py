"""Brings the mirror up to date: reads what is new, applies it, and says what the mirror holds.

Any number of runs may work at once, and each may be killed anywhere: a batch that was applied but
not published is applied again, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from clipsearch.engine.old_tables import delete_old_tables
from clipsearch.engine.protocol import Engine
from clipsearch.engine.reduced import reduced
from clipsearch.engine.state import (
    RENEW_AFTER,
    MirrorState,
    is_too_old,
    new_table,
    newest_state,
    publish,
)
from clipsearch.errors import DamagedObject, ObjectNotFound, StorageError, UnknownFormat
from clipsearch.index.compaction.transaction import Inventory, read_inventory
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.segments import read_segment
from clipsearch.index.reader.told import Told
from clipsearch.storage import Bucket

# Entries applied at once: 270 MB of vectors of 512 numbers, and two or three times as much in the
# engine.
BATCH = 131_072
READERS = 16  # segments read at once; those of single uploads are small
ATTEMPTS = 20  # a compaction may delete segments while they are read


@dataclass(slots=True)
class Report:
    """What a run did. `damaged`: reason by name of each segment that was skipped."""

    segments: int = 0
    entries: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def mirror(
    bucket: Bucket,
    space: str,
    dim: int,
    open_table: Callable[[str], Engine],
    now: Callable[[], datetime],
    told: Callable[[int, int], None],
) -> tuple[MirrorState, Report]:
    """Apply the segments that the mirror lacks, improve its indexes, and delete old tables.

    `dim`: of the space's vectors. `open_table`: the engine's table of this name. If it was deleted,
    another one is begun. `told`: called with the numbers of segments done and known, after each
    batch.
    Returns what the mirror holds now. Raises StorageError, and UnknownFormat where a newer version
    wrote.
    """
    report, before = Report(), None
    for _ in range(ATTEMPTS):
        began, inventory = now(), read_inventory(bucket, space)
        if inventory.commit.number == before:  # it was there before the listing
            gone = {*inventory.commit.segments} - inventory.listed.keys()
            report.damaged |= dict.fromkeys(gone, "it is missing, but the commit names it")
        before = inventory.commit.number
        state = newest_state(bucket, space)
        engine = None if state is None else open_table(state.table)
        lost = state.table if state and engine and not engine.exists() else None
        if state is None or engine is None or lost or is_too_old(state, began):
            state = new_table(space, began)
            engine = open_table(state.table)
        try:
            if not state.number:
                engine.make()
                _apply_tombstones(bucket, inventory, state.space, engine, report, dim)
            whole = _caught_up(bucket, inventory, state, engine, report, told, began, lost, dim)
        except ObjectNotFound:  # merged and deleted meanwhile: the next inventory has the merge
            continue
        if whole is not None:
            delete_old_tables(bucket, space, now())
            return whole, report
    raise StorageError(
        f"the index of space {space!r} in {bucket.url} changes faster than it is mirrored"
    )


def lacking(inventory: Inventory, held: frozenset[str], damaged: Collection[str] = ()) -> set[str]:
    """The segments with entries that the mirror may lack.

    `held`: segments in the mirror. A merge of segments that it holds has nothing new. The sources
    of a `damaged` segment replace it while they exist.
    """
    wanted = _wanted(inventory, damaged)
    told = Told(held, inventory.commit)
    return {name for name in wanted - held if not told.of(name)}


def _wanted(inventory: Inventory, damaged: Collection[str]) -> set[str]:
    """The readable segments that make up the index."""
    commit, listed = inventory.commit, inventory.listed.keys()
    wanted = {*commit.segments, *listed - commit.replaced.keys()}
    wanted |= {old for old, new in commit.replaced.items() if new in damaged} & listed
    return wanted - {*damaged}


def batches_of(names: Iterable[str], sizes: Mapping[str, int], most: int) -> list[list[str]]:
    """The names in groups of up to `most` entries; a larger segment is alone.

    `sizes`: entries by name where known.
    """
    groups: list[list[str]] = []
    held = 0
    for name in sorted(names):
        size = sizes.get(name, 1)
        if not groups or held + size > most:
            groups.append([])
            held = 0
        groups[-1].append(name)
        held += size
    return groups


def sizes_of(inventory: Inventory, dim: int) -> dict[str, int]:
    """Entries by segment. Of those in no commit, as many as would fill the file with vectors."""
    listed = {name: 1 + stat.size // (4 * dim) for name, stat in inventory.listed.items()}
    return {**listed, **inventory.commit.sizes}


def _apply_tombstones(
    bucket: Bucket, inventory: Inventory, space: str, engine: Engine, report: Report, dim: int
) -> None:
    """Before all else: compaction may drop those that are a week old while a table is filled.

    Raises ObjectNotFound if a segment was deleted meanwhile.
    """
    done: set[str] = set()
    while names := lacking(inventory, frozenset(), report.damaged) - done:
        for batch in batches_of(names, sizes_of(inventory, dim), BATCH):
            entries = Entries.concat([*_read(bucket, space, batch, dim, report).values()])
            found = reduced([entries.take(entries.kinds == Kind.TOMBSTONE)])
            if len(found):
                engine.apply(found)
        done |= names


def _caught_up(
    bucket: Bucket,
    inventory: Inventory,
    state: MirrorState,
    engine: Engine,
    report: Report,
    told: Callable[[int, int], None],
    began: datetime,
    lost: str | None,
    dim: int,
) -> MirrorState | None:
    """The mirror's state with all of the inventory, taken at `began`. `lost`: see publish.

    None if that needs another attempt: more segments became damaged, or another mirror began a
    new table. Raises ObjectNotFound if a segment was deleted meanwhile.
    """
    commit, table = inventory.commit, state.table
    present = frozenset({*inventory.listed, *commit.segments, *commit.replaced})
    damaged = set(report.damaged)
    names = lacking(inventory, state.segments, damaged)
    known = report.segments + len(names)
    for batch in batches_of(names, sizes_of(inventory, dim), BATCH):
        parts = _read(bucket, state.space, batch, dim, report)
        if parts:
            entries = reduced([*parts.values()])
            engine.apply(entries)
            report.segments += len(parts)
            report.entries += len(entries)
            held = replace(state, segments=frozenset(parts))
            state = publish(bucket, held, present, began, lost=lost)
        told(report.segments, known)
        if state.table != table:
            return None
    if damaged != report.damaged.keys():
        return None
    engine.improve()  # first: searches open the table when its state says that it is whole
    # Merges of what it holds, too: their sources will vanish.
    everything = frozenset(_wanted(inventory, damaged))
    state = replace(state, segments=everything, whole=began, since=state.since or began)
    # Searches that follow the mirror look for a later `whole`.
    renew_after = timedelta() if report.segments else RENEW_AFTER
    state = publish(bucket, state, present, began, renew_after, lost)
    return state if state.table == table else None


def _read(
    bucket: Bucket, space: str, names: Sequence[str], dim: int, report: Report
) -> dict[str, Entries]:
    """The readable ones with vectors of `dim` numbers; raises UnknownFormat and ObjectNotFound."""

    def read(name: str) -> Entries | str:
        try:
            entries = read_segment(bucket, space, name)
        except UnknownFormat:
            raise
        except DamagedObject as damaged:
            return damaged.reason
        found = entries.vectors.shape[1] if len(entries.vectors) else dim
        return entries if found == dim else f"its vectors have {found} dimensions, not {dim}"

    with ThreadPoolExecutor(READERS, "clipsearch-mirror") as pool:
        found = dict(zip(names, pool.map(read, names), strict=True))
    report.damaged |= {name: one for name, one in found.items() if isinstance(one, str)}
    return {name: one for name, one in found.items() if isinstance(one, Entries)}

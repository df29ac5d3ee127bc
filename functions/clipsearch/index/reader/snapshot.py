"""The state of all photos of one space at one time, and how it grows by new segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Cause, Entries, Kind
from clipsearch.index.format.segments import segments_prefix
from clipsearch.index.reader.base import Base
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.loader import Loader, PackGroup
from clipsearch.index.reader.vector_queue import Chunk, Packed, Plain, Rows, VectorQueue


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The state of all photos of one space at one time; it never changes.

    `photos`, `failures`: number of indexed and of failed photos. `updated`: when the newest entry
    was written; None without entries. `damaged`: "object: reason" of each skipped object. Photos of
    a damaged segment may be missing. `newer`: segments among them that a newer version wrote.
    """

    space: str
    commit: int
    catalogue: Catalogue
    fresh: VectorQueue
    photos: int
    failures: int
    updated: datetime | None
    damaged: tuple[str, ...] = ()
    newer: frozenset[str] = frozenset()

    @property
    def damaged_segments(self) -> frozenset[str]:
        """The names of the segments among `damaged`, without `newer`: those must stay."""
        prefix = segments_prefix(self.space)
        objects = (line.partition(": ")[0] for line in self.damaged)
        names = frozenset(o.removeprefix(prefix) for o in objects if o.startswith(prefix))
        return names - self.newer

    @property
    def entries(self) -> Entries:
        """The state of each photo, one entry per name, without the vectors: a copy for tools."""
        return self.catalogue.rows.entries(self.catalogue.live)

    @property
    def skipped(self) -> int:
        """How many of the `failures` are files that are not photos."""
        catalogue = self.catalogue
        return int(np.count_nonzero(catalogue.rows.failed(Cause.SKIPPED) & catalogue.live))

    def newest_failed(self, limit: int) -> Entries:
        """The newest failures without skipped files, in any order."""
        table = self.catalogue.rows
        is_shown = table.failed() & ~table.failed(Cause.SKIPPED) & self.catalogue.live
        rows = np.flatnonzero(is_shown)
        keep = np.zeros(len(table), bool)
        keep[rows[np.argsort(-table.times[rows], kind="stable")][:limit]] = True
        return table.entries(keep)

    def lacking(self, keys: npt.NDArray[np.uint64], generations: npt.NDArray[np.int64]) -> int:
        """How many of some photos are not in this state or a later one: see Catalogue.lacks."""
        return int(np.count_nonzero(self.catalogue.lacks(keys, generations)))


def grown(snapshot: Snapshot, commit: int, loader: Loader, base: Base | None = None) -> Snapshot:
    """The snapshot with the loader's data; new vectors go to `fresh`. Raises StorageError.

    `base`: what it holds is left out.
    """
    unchanged = snapshot if commit == snapshot.commit else replace(snapshot, commit=commit)
    if not loader.parts:
        return unchanged
    parts = dict(loader.parts)
    with ThreadPoolExecutor(1, "clipsearch-packs") as pool:
        packs = pool.submit(loader.pack_groups)
        catalogue, rows = _merged(snapshot.catalogue, parts, base)  # while the packs are read
    groups = packs.result()
    if loader.parts != parts:  # segments were read instead of packs
        catalogue, rows = _merged(snapshot.catalogue, loader.parts, base)
    if loader.store is not None:
        rows |= _moved(catalogue, loader, groups)
    chunks = [*_plain(loader.parts, rows), *_packed(groups, rows)]
    if catalogue is snapshot.catalogue:
        if not chunks:
            return unchanged
        catalogue = replace(catalogue, version=catalogue.version + 1)
    snapshot.fresh.put(sorted(chunks, key=lambda chunk: chunk.rows.max()))
    return snapshot_of(snapshot.space, catalogue, commit, snapshot.fresh)


def _merged(
    catalogue: Catalogue, parts: Mapping[str, Entries], base: Base | None
) -> tuple[Catalogue, dict[str, Rows]]:
    """The catalogue with the segments `parts`, and the rows of their vectors."""
    if not parts:
        return catalogue, {}
    names = sorted(parts)
    table = Entries.concat([parts[name].without_vectors() for name in names])
    catalogue, given = catalogue.merged(table, base.is_news if base else None)
    ends = np.cumsum([len(parts[name]) for name in names])
    of_parts = zip(names, np.split(given, ends[:-1]), strict=True)
    return catalogue, {name: rows[parts[name].kinds == Kind.VECTOR] for name, rows in of_parts}


def _moved(catalogue: Catalogue, loader: Loader, groups: Sequence[PackGroup]) -> dict[str, Rows]:
    """The rows of the vectors of packs whose rows stay in the bucket, new or not.

    Compaction deletes the packs that hold known rows now. A row is of the first pack that has it.
    """
    is_taken = np.zeros(len(catalogue.live), bool)
    result = {}
    for name in [
        *sorted(loader.instead & loader.parts.keys()),
        *(n for g in groups for n in g.names),
    ]:
        part = loader.parts[name]
        vectors = np.flatnonzero(part.kinds == Kind.VECTOR)
        rows = catalogue.rows_of(part.keys[vectors])
        counts = rows >= 0
        known = rows[counts]
        is_same = catalogue.rows.generations[known] == part.generations[vectors[counts]]
        is_same &= (catalogue.rows.kinds[known] == Kind.VECTOR) & ~is_taken[known]
        rows[np.flatnonzero(counts)[~is_same]] = -1
        is_taken[rows[rows >= 0]] = True
        result[name] = rows
    return result


def _plain(parts: Mapping[str, Entries], rows: Mapping[str, Rows]) -> list[Chunk]:
    chunks: list[Chunk] = []
    for name, part in sorted(parts.items()):
        vectors, counts = part.vectors, rows[name] >= 0
        if len(vectors) and counts.any():
            kept = vectors if counts.all() else vectors[counts]
            chunks.append(Plain(rows[name][counts], kept))
    return chunks


def _packed(groups: Sequence[PackGroup], rows: Mapping[str, Rows]) -> list[Chunk]:
    chunks: list[Chunk] = []
    for group in groups:
        packed = np.concatenate(
            [
                rows[name] if name else np.full(len(codes), -1)
                for name, codes in zip(group.names, group.codes, strict=True)
            ]
        )
        if (packed >= 0).any():
            codes = np.concatenate(group.codes)
            chunks.append(Packed(packed, codes, group.vectors, group.quantizer))
    return chunks


def snapshot_of(space: str, catalogue: Catalogue, commit: int, fresh: VectorQueue) -> Snapshot:
    times = catalogue.rows.times
    return Snapshot(
        space=space,
        commit=commit,
        catalogue=catalogue,
        fresh=fresh,
        photos=catalogue.count(Kind.VECTOR),
        failures=catalogue.count(Kind.FAILURE),
        updated=_time(times.max()) if len(times) else None,
    )


def _time(microseconds: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds))

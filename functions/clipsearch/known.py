# numpy at the top: import this module inside functions only (nothing heavy before the fork).
"""The state of all photos of one space at one time, and how it grows by what was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.catalogue import Catalogue
from clipsearch.entries import Entries, Kind
from clipsearch.fresh_vectors import Chunk, FreshVectors, Packed, Plain, Rows
from clipsearch.reading import PackGroup, Reading
from clipsearch.segments import segments_prefix

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The state of all photos of one space at one time; it never changes.

    `photos`, `failures`: how many are indexed, and how many cannot be. `updated`: when the
    newest entry was written, None without any. `damaged`: "object: what is wrong with it" of
    all that is set aside; photos may be missing because of a segment.
    """

    space: str
    commit: int
    catalogue: Catalogue
    fresh: FreshVectors
    photos: int
    failures: int
    updated: datetime | None
    damaged: tuple[str, ...] = ()

    @property
    def damaged_segments(self) -> frozenset[str]:
        """The names of the segments among `damaged`."""
        prefix = segments_prefix(self.space)
        objects = (line.partition(": ")[0] for line in self.damaged)
        return frozenset(o.removeprefix(prefix) for o in objects if o.startswith(prefix))

    @cached_property
    def entries(self) -> Entries:
        """The state of each photo, one entry per name, without the vectors."""
        catalogue = self.catalogue
        return catalogue.rows if catalogue.live.all() else catalogue.rows.take(catalogue.live)


def grown(
    snapshot: Snapshot, commit: int, reading: Reading, groups: Sequence[PackGroup]
) -> Snapshot:
    """With what was read, whose vectors go to `fresh`. Empties `reading`: its parts are large."""
    if not reading.parts:
        return snapshot if commit == snapshot.commit else replace(snapshot, commit=commit)
    names = sorted(reading.parts)
    parts = [reading.parts.pop(name) for name in names]
    vectors = {name: part.vectors for name, part in zip(names, parts, strict=True)}
    kinds = [part.kinds for part in parts]
    table = Entries.concat([part.without_vectors() for part in parts])
    del parts  # the same again: not to be held while the catalogue is made
    catalogue, given = snapshot.catalogue.merged(table)
    ends = np.cumsum([len(part) for part in kinds])
    rows = {
        name: part_rows[part_kinds == Kind.VECTOR]
        for name, part_kinds, part_rows in zip(
            names, kinds, np.split(given, ends[:-1]), strict=True
        )
    }
    chunks = [*_plain(vectors, rows), *_packed(groups, rows)]
    snapshot.fresh.put(sorted(chunks, key=lambda chunk: chunk.rows.max()))
    return snapshot_of(snapshot.space, catalogue, commit, snapshot.fresh)


def _plain(vectors: dict[str, Vectors], rows: dict[str, Rows]) -> list[Chunk]:
    chunks: list[Chunk] = []
    for name, part in vectors.items():
        counts = rows[name] >= 0
        if len(part) and counts.any():
            kept = part if counts.all() else part[counts]
            chunks.append(Plain(rows[name][counts], kept))
    return chunks


def _packed(groups: Sequence[PackGroup], rows: dict[str, Rows]) -> list[Chunk]:
    chunks: list[Chunk] = []
    for group in groups:
        packed = np.concatenate(
            [
                np.full(len(head.codes), -1) if name in group.unusable else rows[name]
                for name, head in zip(group.names, group.heads, strict=True)
            ]
        )
        if (packed >= 0).any():
            codes = np.empty((len(packed), group.quantizer.code_size + 1), np.uint8)
            np.concatenate([head.codes for head in group.heads], out=codes[:, :-1])
            chunks.append(Packed(packed, codes, group.vectors, group.quantizer))
    return chunks


def snapshot_of(space: str, catalogue: Catalogue, commit: int, fresh: FreshVectors) -> Snapshot:
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

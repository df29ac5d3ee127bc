"""The results of a reconcile: the number of photos, and those that the index lacked.

    <space>/reconciles/<microseconds, 16 hex>-<12 random hex>/<4 digits>.npz

One write-once object per part of the listing; most listings have one part. A run without its last
part was killed or is still running: readers use the run before it.
"""

from __future__ import annotations

import io
import re
import secrets
import time
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.errors import DamagedObject, ObjectExists, ObjectNotFound
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.storage import Bucket

FORMAT = 1
RUNS_KEPT = 2  # complete runs; a reader that has just listed the older one can still read it
UNFINISHED_KEPT = timedelta(days=1)  # the message that continues a run is at most this late
SKEW = timedelta(hours=1)  # maximum difference of two clocks
_RUN = "[0-9a-f]{16}-[0-9a-f]{12}"


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """p photos to index: `keys` of their names, `generations` of their future entries, and when
    their messages were `published`, µs since 1970."""

    keys: npt.NDArray[np.uint64]  # (p, 2)
    generations: npt.NDArray[np.int64]  # (p,)
    published: npt.NDArray[np.int64]  # (p,)

    @classmethod
    def concat(cls, parts: list[Pending]) -> Pending:
        if not parts:
            none = np.zeros(0, np.int64)
            return cls(np.zeros((0, 2), np.uint64), none, none)
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def still(self, catalogue: Catalogue) -> Pending:
        """The photos that the index does not have yet."""
        left = catalogue.lacks(self.keys, self.generations)
        return Pending(self.keys[left], self.generations[left], self.published[left])


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The results for names up to `end`, the last one checked; "" in the last part.

    `objects`: number of photos in the bucket. `indexed`, `failed`: how many of them the index had;
    the others are `pending`. `damaged`: segments that the index could not read. Times in µs since
    1970.
    """

    objects: int
    indexed: int
    failed: int
    orphaned: int  # in the index, but not in the bucket
    started: int
    finished: int
    end: str
    pending: Pending
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """All parts of one run. `damaged`: segments that were unreadable in every part."""

    run: str
    objects: int
    started: datetime
    finished: datetime
    pending: Pending
    damaged: frozenset[str]


def new_run() -> str:
    """A run id: sorts by time; 48 random bits make it unique."""
    return f"{time.time_ns() // 1000:016x}-{secrets.token_hex(6)}"


def is_run(value: str) -> bool:
    return re.fullmatch(_RUN, value) is not None


def write_part(bucket: Bucket, space: str, run: str, number: int, part: Part) -> Part:
    """Write the part. If another process wrote it first, returns that part instead."""
    columns = {f.name: getattr(part, f.name) for f in fields(Part) if f.name != "pending"}
    columns["damaged"] = np.array(part.damaged, np.str_)
    pending = {f.name: getattr(part.pending, f.name) for f in fields(Pending)}
    file = io.BytesIO()
    np.savez(file, format=np.int32(FORMAT), space=np.str_(space), **columns, **pending)
    try:
        bucket.create(_path(space, run, number), file.getvalue())
    except ObjectExists:
        return read_part(bucket, space, run, number) or part
    return part


def read_part(bucket: Bucket, space: str, run: str, number: int) -> Part | None:
    """None if the part does not exist (yet). Raises DamagedObject."""
    path = _path(space, run, number)
    try:
        data = bucket.read(path)
    except ObjectNotFound:
        return None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            found: dict[str, Any] = {name: archive[name] for name in archive.files}
        head = (found.pop("format").item(), found.pop("space").item())
        if head != (FORMAT, space):
            raise ValueError(f"its header is {head!r} instead of {(FORMAT, space)!r}")
        pending = Pending(**{f.name: found.pop(f.name) for f in fields(Pending)})
        if not len(pending.keys) == len(pending.generations) == len(pending.published):
            raise ValueError("its columns differ in length")
        damaged = tuple(found.pop("damaged").tolist())
        values = {name: value.item() for name, value in found.items()}
        return Part(**values, pending=pending, damaged=damaged)
    except Exception as exc:  # zipfile and numpy raise a dozen types for damaged bytes
        raise DamagedObject(path, f"it is not a record of a reconcile ({exc!r})") from exc


class CoverageReader:
    """Reads the newest complete run of a space, and caches it."""

    def __init__(self, bucket: Bucket, space: str) -> None:
        self._bucket = bucket
        self.space = space
        self.known: Coverage | None = None

    def newest(self) -> Coverage | None:
        """None before the end of the first reconcile. Raises DamagedObject, StorageError."""
        for run, _ in reversed(_runs(self._bucket, self.space)):
            if self.known is not None and run == self.known.run:
                break
            parts = _parts(self._bucket, self.space, run)
            if parts:
                self.known = _coverage(run, parts)
                break
        return self.known


def delete_old_runs(bucket: Bucket, space: str) -> None:
    """Delete all runs except the newest complete ones and those that may still be running."""
    recent = time.time_ns() // 1000 - UNFINISHED_KEPT // timedelta(microseconds=1)
    kept = 0
    for run, at in reversed(_runs(bucket, space)):
        if kept < RUNS_KEPT:
            try:
                is_complete = bool(_parts(bucket, space, run))
                is_useless = not is_complete and at < recent
            except DamagedObject:
                is_complete, is_useless = False, kept > 0
            kept += is_complete
            if not is_useless:
                continue
        for stat in list(bucket.list(f"{_prefix(space)}{run}/")):
            bucket.delete(stat.name)


def _runs(bucket: Bucket, space: str) -> list[tuple[str, int]]:
    """The runs with their times (µs since 1970), oldest first.

    A wrong clock may name a run in the future, which would hide all others. So the object's time
    limits the run's time. If that is in the future too (a folder has the same clock), the run
    sorts first."""
    prefix = _prefix(space)
    soon = time.time_ns() // 1000 + SKEW // timedelta(microseconds=1)
    times: dict[str, int] = {}
    for stat in bucket.list(prefix):
        run = stat.name.removeprefix(prefix).split("/")[0]
        if is_run(run):
            written = int(stat.updated.timestamp() * 1e6)
            times[run] = max(times.get(run, 0), min(int(run[:16], 16), written))
    return sorted(times.items(), key=lambda item: (item[1] <= soon, item[1], item[0]))


def _parts(bucket: Bucket, space: str, run: str) -> list[Part]:
    """All parts of a run; an empty list if one is missing."""
    parts: list[Part] = []
    while not parts or parts[-1].end:
        part = read_part(bucket, space, run, len(parts))
        if part is None:
            return []
        parts.append(part)
    return parts


def _coverage(run: str, parts: list[Part]) -> Coverage:
    return Coverage(
        run=run,
        objects=sum(part.objects for part in parts),
        started=_time(parts[0].started),
        finished=_time(parts[-1].finished),
        pending=Pending.concat([part.pending for part in parts]),
        damaged=frozenset.intersection(*(frozenset(part.damaged) for part in parts)),
    )


def _time(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _prefix(space: str) -> str:
    return f"{space}/reconciles/"


def _path(space: str, run: str, number: int) -> str:
    return f"{_prefix(space)}{run}/{number:04d}.npz"

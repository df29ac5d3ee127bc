# numpy at the top: import this module inside functions only (nothing heavy before the fork).
"""What a reader knows: one commit and the segments that came after it.

reader = SnapshotReader(bucket, space)
index = PhotoIndex()
index.update(reader.refresh())  # again and again; only what is new is read
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.catalogue import Catalogue
from clipsearch.commits import Commit, newest_commit
from clipsearch.entries import Entries, Kind
from clipsearch.errors import DamagedObject, ObjectNotFound, StorageError
from clipsearch.segments import is_segment_name, read_segment, segment_path, segments_prefix
from clipsearch.storage import Bucket

ATTEMPTS = 5  # each lost one means that a whole compaction ended while we were reading
READERS = 8  # requests at a time: storage answers in tens of ms, and its client pools 10

# Rows of the catalogue (m,), growing from chunk to chunk, and their vectors (m, d) float32.
Chunk = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


class FreshVectors:
    """Vectors on their way from the reader to the index, which keeps the only copy of them."""

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()

    def put(self, chunks: Sequence[Chunk]) -> None:
        self._chunks.extend(chunks)

    def next(self, rows: int) -> Chunk | None:
        """The oldest chunk if a catalogue of so many rows has it."""
        chunk = self._chunks[0] if self._chunks else None
        return chunk if chunk and chunk[0][-1] < rows else None

    def taken(self) -> None:
        """The oldest chunk is safe somewhere else."""
        self._chunks.popleft()


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The state of all photos of one space at one time; it never changes.

    `photos`, `failures`: how many are indexed, and how many cannot be. `updated`: when the
    newest entry was written, None without any.
    """

    space: str
    commit: int
    catalogue: Catalogue
    fresh: FreshVectors
    photos: int
    failures: int
    updated: datetime | None

    @cached_property
    def entries(self) -> Entries:
        """The state of each photo, one entry per name, without the vectors."""
        catalogue = self.catalogue
        return catalogue.rows if catalogue.live.all() else catalogue.rows.take(catalogue.live)


class SnapshotReader:
    """Reads the index of one space, and later only what is new. Any thread may refresh."""

    def __init__(self, bucket: Bucket, space: str, keep_vectors: bool = True) -> None:
        """`keep_vectors`: for a PhotoIndex, which takes them; False for who wants the entries."""
        self._bucket = bucket
        self._space = space
        self._keep_vectors = keep_vectors
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._fresh = FreshVectors()
        self._dimension: int | None = None
        self._snapshot = self._snapshot_of(Catalogue.empty(), 0)

    def refresh(self) -> Snapshot:
        """The newest snapshot; the same object as before if nothing is new.

        Raises DamagedObject with the name of a segment or commit that is not what it must
        be, and StorageError. Afterwards the reader is as before and can be asked again.
        """
        with self._lock:
            read: dict[str, Entries] = {}
            vanished: ObjectNotFound | None = None
            for _ in range(ATTEMPTS):
                # The segments first: what the commit has merged meanwhile is in the commit.
                listed = self._list_segments()
                try:
                    commit = newest_commit(self._bucket, self._space)
                    wanted = set(commit.segments) | (listed - commit.replaced.keys())
                    self._read(sorted(wanted - self._seen - read.keys()), read)
                except ObjectNotFound as exc:
                    vanished = exc
                    continue
                return self._advance(commit, wanted, read)
            raise StorageError(
                f"refresh the index {self._space!r} in {self._bucket.url}: objects vanished while "
                f"they were read, {ATTEMPTS} times in a row; the last one is {vanished}"
            ) from vanished

    def _list_segments(self) -> set[str]:
        prefix = segments_prefix(self._space)
        names = (stat.name.removeprefix(prefix) for stat in self._bucket.list(prefix))
        return {name for name in names if is_segment_name(name)}

    def _read(self, names: Sequence[str], into: dict[str, Entries]) -> None:
        if not names:
            return
        with ThreadPoolExecutor(min(READERS, len(names)), "clipsearch-segments") as pool:
            reading = {
                name: pool.submit(read_segment, self._bucket, self._space, name) for name in names
            }
            try:
                for name, future in reading.items():
                    into[name] = future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _advance(self, commit: Commit, wanted: set[str], read: dict[str, Entries]) -> Snapshot:
        parts = [read[name] for name in sorted(wanted & read.keys())]
        self._dimension = self._common_dimension(read)
        if parts or commit.number != self._snapshot.commit:
            catalogue, chunks = self._merge(parts)
            self._snapshot = self._snapshot_of(catalogue, commit.number)
            if self._keep_vectors:
                self._fresh.put(chunks)
        self._seen = wanted
        return self._snapshot

    def _merge(self, parts: Sequence[Entries]) -> tuple[Catalogue, list[Chunk]]:
        table = Entries.concat([part.without_vectors() for part in parts])
        catalogue, rows = self._snapshot.catalogue.merged(table)
        chunks = []
        for part in parts:
            part_rows, rows = rows[: len(part)], rows[len(part) :]
            vector_rows = part_rows[part.kinds == Kind.VECTOR]
            counts = vector_rows >= 0
            if counts.any():
                vectors = part.vectors if counts.all() else part.vectors[counts]
                chunks.append((vector_rows[counts], vectors))
        return catalogue, chunks

    def _common_dimension(self, read: dict[str, Entries]) -> int | None:
        dimension = self._dimension
        for name, entries in read.items():
            found = entries.vectors.shape[1] if len(entries.vectors) else None
            if found and dimension and found != dimension:
                reason = f"its vectors have {found} numbers, those of others {dimension}"
                raise DamagedObject(segment_path(self._space, name), reason)
            dimension = dimension or found
        return dimension

    def _snapshot_of(self, catalogue: Catalogue, commit: int) -> Snapshot:
        times = catalogue.rows.times
        return Snapshot(
            space=self._space,
            commit=commit,
            catalogue=catalogue,
            fresh=self._fresh,
            photos=catalogue.count(Kind.VECTOR),
            failures=catalogue.count(Kind.FAILURE),
            updated=_time(times.max()) if len(times) else None,
        )


def _time(microseconds: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds))

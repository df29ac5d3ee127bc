"""Rows of packs that stay in the bucket: read by range when a search compares them.

Many ranges are read at once, because each takes tens of ms. Rows that were used last are kept.
"""

from __future__ import annotations

import itertools
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clipsearch.errors import ObjectNotFound, RowsLost
from clipsearch.index.format.packs import WRONG_ROWS, Halves
from clipsearch.storage import Bucket

AT_ONCE = 128  # requests
# Bytes between two rows that are read together: they take less time than a request.
GAP = 16 << 10
KEPT = 64 << 20  # bytes of rows
# Vectors have the length 1, up to the rounding to float16. Only for packs without checksums.
LENGTHS = 0.98, 1.02

Rows = npt.NDArray[np.int64]


class RowStore:
    """Reads rows for all shards of a reader. Thread-safe.

    `lost`: reason by path of each pack whose rows could not be used. `most`: bytes of rows to keep.
    """

    def __init__(self, bucket: Bucket, most: int = KEPT) -> None:
        self.lost: dict[str, str] = {}
        self.pool = ThreadPoolExecutor(AT_ONCE, "clipsearch-stored-rows")
        self.most, self._bucket = most, bucket
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._held = 0

    def kept(self, keys: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """The rows that are in memory: by path of the pack and number in it."""
        with self._lock:
            found = [self._kept.get(key) for key in keys]
            for key, row in zip(keys, found, strict=True):
                if row is not None:
                    self._kept.move_to_end(key)
        return found

    def keep(self, rows: Sequence[tuple[tuple[str, int], bytes]]) -> None:
        with self._lock:
            for key, row in rows:
                if key not in self._kept:
                    self._kept[key] = row
                    self._held += len(row)
            while self._held > self.most:
                self._held -= len(self._kept.popitem(last=False)[1])

    def read(self, pack: str, start: int, end: int) -> bytes:
        """Bytes of the rows. Raises RowsLost, StorageError."""
        try:
            data = self._bucket.read(pack, start=start, end=end)
        except ObjectNotFound as missing:
            raise self.loss(pack, "it is missing") from missing
        if len(data) != end - start:
            raise self.loss(pack, WRONG_ROWS)
        return data

    def loss(self, pack: str, reason: str) -> RowsLost:
        """Note that the pack is unusable; the next refresh of the reader replaces it."""
        self.lost[pack] = reason
        return RowsLost(pack, reason)


class _Range(NamedTuple):
    """Rows of one pack, `first` to `last`, of which `wanted` are used."""

    pack: int
    first: int
    last: int
    wanted: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """The rows of `packs` (p,), concatenated: m float16 vectors of `dimension` numbers.

    `ends` (p,): where the rows of each pack end. `checksums`: by pack, (v,) CRC-32 of each row;
    None for a pack of an older version, which has none.
    """

    store: RowStore
    packs: tuple[str, ...]
    ends: Rows
    checksums: tuple[npt.NDArray[np.uint32] | None, ...]
    dimension: int

    def __len__(self) -> int:
        return int(self.ends[-1])

    def take(self, places: Rows) -> Halves:
        """(j, d) the rows at `places` (j,), in any order. Raises RowsLost, StorageError."""
        if not len(places):
            return np.empty((0, self.dimension), np.float16)
        unique, inverse = np.unique(places, return_inverse=True)
        of_pack = np.searchsorted(self.ends, unique, "right")
        begins = np.concatenate([[0], self.ends[:-1]])
        numbers = (unique - begins[of_pack]).tolist()
        keys = [(self.packs[p], n) for p, n in zip(of_pack.tolist(), numbers, strict=True)]
        found = self.store.kept(keys)
        missing = [
            (pack, number)
            for pack, number, row in zip(of_pack.tolist(), numbers, found, strict=True)
            if row is None
        ]
        read = self._read(missing)
        rows = b"".join(
            read[key] if row is None else row for key, row in zip(keys, found, strict=True)
        )
        return np.frombuffer(rows, np.float16).reshape(-1, self.dimension)[inverse]

    def _read(self, missing: Sequence[tuple[int, int]]) -> dict[tuple[str, int], bytes]:
        """The rows by path and number. `missing`: indices of packs and numbers, ascending."""
        reads = [self.store.pool.submit(self._of_range, it) for it in self._ranges(missing)]
        try:
            rows = list(itertools.chain.from_iterable(read.result() for read in reads))
        except BaseException:
            for read in reads:
                read.cancel()
            raise
        self.store.keep(rows)
        return dict(rows)

    def _ranges(self, missing: Sequence[tuple[int, int]]) -> list[_Range]:
        nearest = max(1, GAP // (2 * self.dimension))
        ranges: list[_Range] = []
        for pack, number in missing:
            if ranges and ranges[-1].pack == pack and number - ranges[-1].last <= nearest:
                ranges[-1].wanted.append(number)
                ranges[-1] = ranges[-1]._replace(last=number)
            else:
                ranges.append(_Range(pack, number, number, [number]))
        return ranges

    def _of_range(self, it: _Range) -> list[tuple[tuple[str, int], bytes]]:
        size, path, sums = 2 * self.dimension, self.packs[it.pack], self.checksums[it.pack]
        data = self.store.read(path, size * it.first, size * (it.last + 1))
        rows = []
        for number in it.wanted:
            row = data[size * (number - it.first) :][:size]
            is_sound = zlib.crc32(row) == sums[number] if sums is not None else _has_length_1(row)
            if not is_sound:
                raise self.store.loss(path, WRONG_ROWS)
            rows.append(((path, number), row))
        return rows


def _has_length_1(row: bytes) -> bool:
    length = float(np.linalg.norm(np.frombuffer(row, np.float16).astype(np.float32)))
    return LENGTHS[0] <= length <= LENGTHS[1]  # False for NaN


def joined(parts: Sequence[StoredRows]) -> StoredRows:
    """The rows of all, in order. All are of one store."""
    begins = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return StoredRows(
        store=parts[0].store,
        packs=tuple(itertools.chain.from_iterable(part.packs for part in parts)),
        ends=np.concatenate([part.ends + begin for part, begin in zip(parts, begins, strict=True)]),
        checksums=tuple(itertools.chain.from_iterable(part.checksums for part in parts)),
        dimension=parts[0].dimension,
    )

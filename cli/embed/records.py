"""A listed photo, and what the index knows of a photo, as bytes under the photo's 16-byte key.

Beam moves many millions of them, so they are small, and are bound in sheaves.

    listed    b"l", generation int64, size int64, the name in UTF-8
    known     b"k", generation int64, kind uint8, cause int32, flags uint8, time int64, the name
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from clipsearch.index.format.entries import Entries, Entry, Kind
from clipsearch.storage import Stat

Record = tuple[bytes, bytes]  # key and value

Sheaf = tuple[bytes, bytes]  # the beginning of some keys, and all their values in one
SHEAVES_OF = 65_536  # records; so a process holds some MB of them

_SIZE = struct.Struct("<H")
_LISTED = struct.Struct("<cqq")
_KNOWN = struct.Struct("<cqBiBq")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def key(name: str) -> bytes:
    """The 16 bytes of entries.key_of()."""
    return hashlib.sha256(name.encode()).digest()[:16]


def of_listed(stat: Stat) -> Record:
    value = _LISTED.pack(b"l", stat.generation, stat.size) + stat.name.encode()
    return key(stat.name), value


def of_known(entries: Entries) -> Iterator[Record]:
    """The state of each photo in `entries`."""
    entries = entries.take(entries.winners())
    keys = entries.keys.astype(">u8").tobytes()
    names, begin = entries.names.tobytes(), 0
    columns = zip(
        entries.generations.tolist(),
        entries.kinds.tolist(),
        entries.widths.tolist(),  # a failure's cause
        entries.facts["flags"].tolist(),
        entries.times.tolist(),
        entries.name_ends.tolist(),
        strict=True,
    )
    for row, (*numbers, end) in enumerate(columns):
        yield keys[16 * row : 16 * row + 16], _KNOWN.pack(b"k", *numbers) + names[begin:end]
        begin = end


class Sheaves:
    """Binds records together by the first 12 bits of their keys, in 4,096 sheaves.

    Beam keeps each value with some hundred bytes of its own, which is more than a record. And a
    sheaf of a billion photos still fits into memory.
    """

    def __init__(self) -> None:
        self._values: dict[bytes, list[bytes]] = {}
        self._count = 0

    def add(self, record: Record) -> list[Sheaf]:
        """The sheaves that are ready now."""
        key, value = record
        bound = self._values.setdefault(bytes([key[0], key[1] & 0xF0]), [])
        bound += (_SIZE.pack(len(value)), value)
        self._count += 1
        return self.take() if self._count == SHEAVES_OF else []

    def take(self) -> list[Sheaf]:
        """All that are left."""
        taken, self._values, self._count = self._values, {}, 0
        return [(beginning, b"".join(values)) for beginning, values in taken.items()]


def groups_in(sheaves: Iterable[bytes]) -> list[list[bytes]]:
    """The values of each photo, from all sheaves with one beginning."""
    groups: dict[bytes, list[bytes]] = {}
    for sheaf in sheaves:
        begin = 0
        while begin < len(sheaf):
            (size,) = _SIZE.unpack_from(sheaf, begin)
            value = sheaf[begin + _SIZE.size : begin + _SIZE.size + size]
            header = _LISTED.size if value[:1] == b"l" else _KNOWN.size
            groups.setdefault(value[header:], []).append(value)
            begin += _SIZE.size + size
    return list(groups.values())


def listed_in(values: Iterable[bytes]) -> Stat | None:
    """The photo among the values of one key; the newest one if a listing has it twice."""
    found = [value for value in values if value[:1] == b"l"]
    if not found:
        return None
    _, generation, size = max(_LISTED.unpack_from(value) for value in found)
    name = found[0][_LISTED.size :].decode()
    return Stat(name, generation, size, None, _LONG_AGO)


def known_in(groups: Sequence[Sequence[bytes]]) -> Entries:
    """What the index knows of the photos, several entries of one photo included. The reasons of
    failures are empty, and vectors are missing."""
    values = [value for group in groups for value in group if value[:1] == b"k"]
    rows = [_KNOWN.unpack_from(value)[1:] for value in values]
    generations, kinds, causes, flags, times = zip(*rows, strict=True) if rows else ((),) * 5
    blank = Entries.from_entries(
        [
            Entry(value[_KNOWN.size :].decode(), generation, Kind.TOMBSTONE, time_us=time)
            for value, generation, time in zip(values, generations, times, strict=True)
        ]
    )
    blank.kinds[:] = kinds
    blank.widths[:] = causes
    blank.facts["flags"] = flags
    failures = int(np.count_nonzero(blank.kinds == Kind.FAILURE))
    return replace(blank, reason_ends=np.zeros(failures, np.int64))

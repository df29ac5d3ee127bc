"""Reads tag directories of TIFF, which EXIF uses too, and the orientation in them.

TIFF 6.0, section 2; BigTIFF: https://www.awaresystems.be/imaging/tiff/bigtiff.html
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field

ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4 A

# field type -> (bytes of one value, struct format); other types are skipped
_TYPES = {1: (1, "B"), 2: (1, "c"), 3: (2, "H"), 4: (4, "I"), 13: (4, "I"), 16: (8, "Q")}
_TYPES[18] = (8, "Q")
# Bytes of one value, of these types and of those without a format above.
_SIZES = {6: 1, 7: 1, 8: 2, 5: 8, 9: 4, 10: 8, 11: 4, 12: 8, 17: 8}
_SIZES |= {kind: size for kind, (size, _) in _TYPES.items()}
MAX_VALUES = 4096  # per tag; the tags in use have a few
MAX_TAGS = 65_536  # numbers of 16 bits, each at most once


@dataclass(frozen=True, slots=True)
class Directory:
    """The integers of each tag, the offset of this directory, and of the next (0: none).

    `spans`: where the values of each tag begin and end. They may lie outside of the data.
    """

    at: int
    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)
    next: int = 0
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)

    def first(self, tag: int, default: int = 0) -> int:
        values = self.tags.get(tag)
        return values[0] if values else default


class TagReader:
    """Reads the tags `wanted` from the directories of `data`, a whole TIFF file.

    Raises ValueError if `data` does not start like a TIFF.
    """

    def __init__(self, data: bytes | memoryview, wanted: Collection[int]) -> None:
        mark = bytes(data[:4])
        orders = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
        if mark not in orders or len(data) < 16:
            raise ValueError(f"TIFF starts with {mark!r}")
        self._data, self._wanted = data, wanted
        self.order = orders[mark]
        self.is_big = b"+" in mark
        self.first = self._unpack("Q", 8) if self.is_big else self._unpack("I", 4)

    def directory(self, at: int) -> Directory:
        """Read the directory at offset `at`. Raises ValueError if the file ends before it."""
        try:
            return self._directory(at)
        except struct.error as exc:
            raise ValueError(f"a directory at {at} of {len(self._data)} bytes") from exc

    def _directory(self, at: int) -> Directory:
        count_form, entry_size, offset_form = ("Q", 20, "Q") if self.is_big else ("H", 12, "I")
        count = self._unpack(count_form, at)
        start = at + struct.calcsize(count_form)
        if count > MAX_TAGS or start + count * entry_size > len(self._data):
            raise ValueError(f"{count} tags at {at} of {len(self._data)} bytes")
        tags: dict[int, tuple[int, ...]] = {}
        spans: dict[int, tuple[int, int]] = {}
        for entry in range(start, start + count * entry_size, entry_size):
            tag = self._unpack("H", entry)
            if tag in self._wanted and tag not in tags:
                spans[tag] = self._span(entry, offset_form)
                tags[tag] = self._values(entry, offset_form, spans[tag][0])
        end = start + count * entry_size
        # real EXIF often ends without the offset of the next directory
        following = end + struct.calcsize(offset_form) <= len(self._data)
        return Directory(at, tags, self._unpack(offset_form, end) if following else 0, spans)

    def _span(self, at: int, offset_form: str) -> tuple[int, int]:
        """`at`: the offset of an entry."""
        kind = self._unpack("H", at + 2)
        size = _SIZES.get(kind, 0) * self._unpack(offset_form, at + 4)
        width = struct.calcsize(offset_form)
        begin = at + 4 + width
        if size > width:
            begin = self._unpack(offset_form, begin)
        return begin, begin + size

    def _values(self, at: int, offset_form: str, where: int) -> tuple[int, ...]:
        kind = self._unpack("H", at + 2)
        count = self._unpack(offset_form, at + 4)
        if kind not in _TYPES or not 0 < count <= MAX_VALUES:
            return ()
        size, form = _TYPES[kind]
        if where + size * count > len(self._data):
            return ()
        found = struct.unpack_from(f"{self.order}{count}{form}", self._data, where)
        return tuple(ord(v) if isinstance(v, bytes) else v for v in found)

    def _unpack(self, form: str, at: int) -> int:
        number: int = struct.unpack_from(self.order + form, self._data, at)[0]
        return number


def orientation_of(exif: bytes | None) -> int:
    """Return the orientation, 1 to 8; 1 without EXIF or if it is damaged, as viewers do.

    `exif` may start with "Exif\\0\\0".
    """
    if not exif:
        return 1
    try:
        reader = TagReader(
            memoryview(exif).cast("B")[6 if exif[:6] == b"Exif\0\0" else 0 :], {ORIENTATION}
        )
        orientation = reader.directory(reader.first).first(ORIENTATION, 1)
    except (ValueError, struct.error):
        return 1
    return orientation if 1 <= orientation <= 8 else 1

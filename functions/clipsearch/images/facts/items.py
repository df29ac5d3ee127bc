"""Finds the items with EXIF and XMP of HEIC and AVIF (ISO 23008-12, ISO 14496-12: 8.11)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from clipsearch.images.facts.metadata import MAX_EXIF, Metadata
from clipsearch.images.isobmff import boxes, first_box

MAX_ITEMS, MAX_EXTENTS = 10_000, 32

XMP_TYPE = b"application/rdf+xml"

Extent = tuple[int, int]  # offset and length in the file


def read_items(data: memoryview, found: Metadata) -> None:
    meta = next((box for box in boxes(data) if box.kind == b"meta"), None)
    if meta is None:
        return
    found.is_complete = meta.is_whole
    try:
        wanted = _wanted(first_box(meta.content[4:], b"iinf"))
        extents = dict(_extents(first_box(meta.content[4:], b"iloc"), set(wanted.values())))
    except StopIteration:  # without these boxes there is no metadata
        return
    for kind, item in wanted.items():
        content = _joined(data, extents.get(item, []))
        if content is None:
            found.is_complete = False
        elif kind == b"Exif" and len(content) > 4:
            # the first 4 bytes: how far the TIFF header is behind them
            found.take_exif(content[4 + int.from_bytes(content[:4], "big") :])
        elif kind == b"mime":
            found.take_xmp(content)


def _wanted(iinf: memoryview) -> dict[bytes, int]:
    """Return the numbers of the first items with EXIF ("Exif") and XMP ("mime")."""
    found: dict[bytes, int] = {}
    for box in boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        entry = box.content
        if box.kind != b"infe" or len(entry) < 12 or entry[0] not in (2, 3):
            continue
        form = ">HH4s" if entry[0] == 2 else ">IH4s"
        item, _, kind = struct.unpack_from(form, entry, 4)
        names = bytes(entry[4 + struct.calcsize(form) :][:256]).split(b"\0")
        if kind == b"Exif" or (kind == b"mime" and XMP_TYPE in names[1:2]):
            found.setdefault(kind, item)
    return found


def _extents(iloc: memoryview, wanted: set[int]) -> Iterator[tuple[int, list[Extent]]]:
    """Yield number and extents of the wanted items that lie in the file itself."""
    version, sizes = iloc[0], (iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4, iloc[5] & 15)
    offset_size, length_size, base_size, index_size = sizes
    index_size = index_size if version else 0
    number_size = 4 if version == 2 else 2
    count, at = int.from_bytes(iloc[6 : 6 + number_size], "big"), 6 + number_size
    for _ in range(min(count, MAX_ITEMS)):
        item, at = int.from_bytes(iloc[at : at + number_size], "big"), at + number_size
        method, at = (iloc[at + 1] & 15, at + 2) if version else (0, at)
        base, at = int.from_bytes(iloc[at + 2 : at + 2 + base_size], "big"), at + 2 + base_size
        (number,) = struct.unpack_from(">H", iloc, at)
        at, size = at + 2, index_size + offset_size + length_size
        if item in wanted and method == 0:
            begins = range(at, at + size * min(number, MAX_EXTENTS), size or 1)
            yield (
                item,
                [
                    (
                        base + int.from_bytes(iloc[i + index_size :][:offset_size], "big"),
                        int.from_bytes(iloc[i + index_size + offset_size :][:length_size], "big"),
                    )
                    for i in begins
                ],
            )
        at += size * number


def _joined(data: memoryview, extents: list[Extent]) -> memoryview | None:
    """Return the first MAX_EXIF bytes of an item; None if they lie beyond the data."""
    parts, left = [], MAX_EXIF
    for offset, length in extents:
        length = min(length, left)
        if offset + length > len(data):
            return None
        parts.append(data[offset : offset + length])
        left -= length
    return memoryview(b"".join(parts))

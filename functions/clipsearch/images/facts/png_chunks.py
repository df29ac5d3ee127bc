"""Finds EXIF, XMP and the creation time in the chunks of a PNG (https://www.w3.org/TR/png-3/)."""

from __future__ import annotations

import struct
import zlib

from clipsearch.images.facts.metadata import MAX_XMP, Metadata
from clipsearch.images.png import MAX_CHUNKS

MAX_RAW = 300_000  # bytes; a profile as hexadecimal text, decompressed

_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_XMP, _CREATED = b"XML:com.adobe.xmp", b"Creation Time"
# ImageMagick and old ExifTool
_RAW = {b"Raw profile type exif", b"Raw profile type APP1"}


def read_png(data: memoryview, found: Metadata) -> None:
    """Metadata may follow the pixels. So without EXIF or XMP before them, all chunks are needed."""
    at, seen = 8, set[bytes]()
    for _ in range(MAX_CHUNKS):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if name == b"IEND" or (name == b"IDAT" and (found.exif or found.xmp)):
            break
        if name in _TEXTS or name == b"eXIf":
            if end > len(data):
                return
            if zlib.crc32(data[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big"):
                _read_chunk(name, data[at + 8 : end - 4], found, seen)
        at = end
    found.is_complete = True


def _read_chunk(name: bytes, content: memoryview, found: Metadata, seen: set[bytes]) -> None:
    """Each keyword counts once, so that a file cannot make us decompress for long."""
    if name == b"eXIf":
        found.take_exif(content)
        return
    keyword = bytes(content[:80]).partition(b"\0")[0]
    if keyword in seen or keyword not in {_XMP, _CREATED, *_RAW}:
        return
    seen.add(keyword)
    text = _text(name, content[len(keyword) + 1 :])
    if keyword == _XMP:
        found.take_xmp(memoryview(text))
    elif keyword == _CREATED:
        found.created = text[:64].decode("ascii", "replace").strip()
    else:
        found.take_exif(memoryview(_unhexed(text)))


def _text(name: bytes, rest: memoryview) -> bytes:
    """Return the text behind keyword and zero; b"" if it is damaged."""
    if name == b"tEXt":
        return bytes(rest[:MAX_RAW])
    if name == b"zTXt":
        return _inflated(rest[1:])
    if len(rest) < 4:
        return b""
    # iTXt: a flag, the method, the language, a zero, the translated keyword, a zero
    _, _, text = bytes(rest[2 : 2 + MAX_XMP]).partition(b"\0")[2].partition(b"\0")
    return _inflated(memoryview(text)) if rest[0] == 1 else text


def _inflated(data: memoryview) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MAX_RAW)
    except zlib.error:
        return b""


def _unhexed(text: bytes) -> bytes:
    """Undo ImageMagick's profiles: a line break, name, length and hexadecimal digits in lines."""
    lines = text.strip().split(b"\n", 2)
    try:
        data = bytes.fromhex(lines[2].decode("ascii")) if len(lines) == 3 else b""
    except ValueError:
        return b""
    return data

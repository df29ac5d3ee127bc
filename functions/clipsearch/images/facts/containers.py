"""Finds EXIF and XMP in the containers JPEG, WebP, HEIC, AVIF and TIFF. PNG: see png_chunks.py."""

from __future__ import annotations

import re
import struct
from contextlib import suppress

from clipsearch.images.facts.items import read_items
from clipsearch.images.facts.metadata import Metadata
from clipsearch.images.facts.png_chunks import read_png
from clipsearch.images.jpeg import APP1, EOI, SOS

MAX_PARTS = 4096  # segments or chunks; real files have less than 300 before their pixels

# Between segments there may be fill bytes and junk. These markers have no length: stuffed zeros,
# TEM, restarts and SOI.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"


def metadata_of(kind: str, data: memoryview) -> Metadata:
    """Find the metadata in `data`, a file of format `kind` or its first bytes."""
    found = Metadata()
    with suppress(struct.error, IndexError):
        _READERS[kind](data, found)
    return found


def _read_jpeg(data: memoryview, found: Metadata) -> None:
    at = 2
    for _ in range(MAX_PARTS):
        marker = _MARKER.search(data, at)
        if not marker:
            return
        kind, at = marker[1][0], marker.end()
        if kind in (SOS, EOI):
            break
        end = at + struct.unpack_from(">H", data, at)[0]
        if end > len(data):
            return
        if kind == APP1:
            content = data[at + 2 : end]
            if bytes(content[:6]) == b"Exif\0\0":
                found.take_exif(content)
            elif bytes(content[: len(_XMP_NAME)]) == _XMP_NAME:
                found.take_xmp(content[len(_XMP_NAME) :])
        at = end
    found.is_complete = True


def _read_webp(data: memoryview, found: Metadata) -> None:
    """https://developers.google.com/speed/webp/docs/riff_container"""
    if bytes(data[12:16]) != b"VP8X":
        found.is_complete = len(data) >= 16
        return
    missing = {name for name, flag in ((b"EXIF", 8), (b"XMP ", 4)) if data[20] & flag}
    at, end_of_file = 12, 8 + int.from_bytes(data[4:8], "little")
    for _ in range(MAX_PARTS):
        if not missing or at >= end_of_file:
            break
        name, size = struct.unpack_from("<4sI", data, at)
        content = data[at + 8 : at + 8 + size]
        if name in missing:
            if len(content) < size:
                return
            (found.take_exif if name == b"EXIF" else found.take_xmp)(content)
            missing.discard(name)
        at += 8 + size + size % 2
    found.is_complete = True


def _read_tiff(data: memoryview, found: Metadata) -> None:
    found.exif = data


def _read_nothing(data: memoryview, found: Metadata) -> None:
    found.is_complete = True


_READERS = {
    "JPEG": _read_jpeg,
    "PNG": read_png,
    "WebP": _read_webp,
    "GIF": _read_nothing,
    "BMP": _read_nothing,
    "TIFF": _read_tiff,
    "AVIF": read_items,
    "HEIC": read_items,
}

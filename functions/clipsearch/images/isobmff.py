"""Reads the boxes of ISO base media files (ISO 14496-12): HEIC and AVIF."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

MAX_BOXES = 1000


class Box(NamedTuple):
    """`is_whole`: the data does not end inside the box."""

    kind: bytes
    content: memoryview
    is_whole: bool


def boxes(data: memoryview) -> Iterator[Box]:
    """Yield the consecutive boxes in `data`, at most MAX_BOXES."""
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        begin = at + 8
        if size == 1:
            size, begin = struct.unpack_from(">Q", data, begin)[0], begin + 8
        end = len(data) if size == 0 else at + size
        if end < begin:
            return
        yield Box(kind, data[begin:end], end <= len(data))
        at = end


def first_box(data: memoryview, kind: bytes) -> memoryview:
    """Return the content of the first box of this kind. Raises StopIteration if there is none."""
    return next(box.content for box in boxes(data) if box.kind == kind)

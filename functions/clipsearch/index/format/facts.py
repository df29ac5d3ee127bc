"""Facts about photos besides their vectors: when, where, what kind of file, and what it looks like.

A row of FACTS per entry is one more array of format 1. Readers from before facts ignore it, and a
segment of such a writer lacks it: then nothing is known, and reconcile fills it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Stored as their position plus 1, so append only. The names are those of images.kinds.FORMATS.
FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")

FACTS = np.dtype(
    [
        ("flags", "u1"),  # Known
        ("format", "u1"),  # FORMATS[format - 1]; 0: unknown
        ("thumbnail", "u1"),  # the version of the thumbnail that exists; 0: unknown
        ("colour", "u1", (3,)),  # mean RGB of the thumbnail
        ("offset", "<i2"),  # minutes east of UTC
        ("bytes", "<u4"),  # of the file; 0: unknown
        ("latitude", "<f4"),  # degrees
        ("longitude", "<f4"),
        ("taken", "<i8"),  # seconds from 1970 to the time on the photographer's clock
        ("hash", "<u8"),  # perceptual hash of the thumbnail
    ]
)

# µs since 1970, of 2005 and 2100: a generation between them is the time of the upload.
_UPLOADED_BETWEEN = 1_104_537_600_000_000, 4_102_444_800_000_000


class Known(IntFlag):
    """Which facts of a photo are known."""

    LOOKED = 1  # the file was searched for facts
    TAKEN = 2
    OFFSET = 4  # of TAKEN
    PLACE = 8
    KEEPS_PLACES = 16  # the file was searched for a place, too
    LOOK = 32  # hash and colour
    PREVIEW = 64  # a preview exists
    NO_PREVIEW = 128  # making a preview failed, and would fail again


class Orientation(IntEnum):
    """By width and height of the upright photo."""

    LANDSCAPE = 1
    PORTRAIT = 2
    SQUARE = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one photo; None, 0 and "" mean unknown.

    `format`: one of FORMATS. `size`: bytes of the file. `taken`: seconds from 1970 to the time on
    the photographer's clock; `offset`: minutes of that clock east of UTC. `place`: latitude and
    longitude in degrees; `keeps_places`: it was looked for. `hash`: 64 bits; `colour`: mean RGB.
    `thumbnail`: the version of the thumbnail that exists. `preview`: True if one exists, False if
    none can be made.
    """

    format: str = ""
    size: int = 0
    taken: int | None = None
    offset: int | None = None
    place: tuple[float, float] | None = None
    keeps_places: bool = False
    hash: int | None = None
    colour: tuple[int, int, int] = (0, 0, 0)
    thumbnail: int = 0
    preview: bool | None = None


def no_facts(count: int) -> Array:
    """(count,) of FACTS for photos of which nothing is known."""
    return np.zeros(count, FACTS)


def facts_rows(facts: Sequence[Facts | None]) -> Array:
    """(n,) of FACTS; None for a photo of which nothing is known."""
    return np.array([_NOTHING if one is None else _row(one) for one in facts], FACTS)


def facts_of_row(row: Any) -> Facts | None:
    """The inverse of facts_rows for one row."""
    flags = int(row["flags"])
    looked, taken, offset, place, keeps_places, look, preview, no_preview = _known(flags)
    if not looked:
        return None
    number = int(row["format"])
    return Facts(
        format=FORMATS[number - 1] if 0 < number <= len(FORMATS) else "",
        size=int(row["bytes"]),
        taken=int(row["taken"]) if taken else None,
        offset=int(row["offset"]) if offset else None,
        place=(float(row["latitude"]), float(row["longitude"])) if place else None,
        keeps_places=keeps_places,
        hash=int(row["hash"]) if look else None,
        colour=tuple(row["colour"].tolist()) if look else (0, 0, 0),
        thumbnail=int(row["thumbnail"]),
        preview=True if preview else False if no_preview else None,
    )


@cache  # operators of an enum are slow
def _known(flags: int) -> tuple[bool, ...]:
    """Which facts are known, in the order of Known."""
    return tuple(flags & fact.value > 0 for fact in Known)


def as_facts(array: Array | None, count: int) -> Array:
    """The stored `array` as (count,) of FACTS. None: written by a version without facts.

    Fields that a later version added are dropped. Raises ValueError for anything else.
    """
    if array is None:
        return no_facts(count)
    if array.ndim != 1 or array.dtype.names is None:
        raise ValueError(f"facts is {array.dtype} with {array.ndim} dimensions")
    if len(array) != count:
        raise ValueError(f"facts has {len(array)} rows, not {count}")
    if array.dtype == FACTS:
        return array
    facts = no_facts(count)
    for name in facts.dtype.names or ():
        if name in array.dtype.names:
            facts[name] = array[name]
    return facts


def dates_of(facts: Array, generations: Array, times: Array) -> npt.NDArray[np.int64]:
    """(n,) seconds since 1970: when taken, by the photographer's clock, else when uploaded.

    The generation of an object is the time of its upload in µs, in Cloud Storage (observed, not
    documented) and in a folder. Without that, `times`: when the entry was written.
    """
    earliest, latest = _UPLOADED_BETWEEN
    is_time = (generations >= earliest) & (generations <= latest)
    uploaded = np.where(is_time, generations, times) // 1_000_000
    is_taken = facts["flags"] & np.uint8(Known.TAKEN) > 0
    return np.where(is_taken, facts["taken"], uploaded).astype(np.int64)


def uploaded_at(generation: int, time: int) -> int:
    """Seconds since 1970: see dates_of. `time`: when the entry was written, in µs."""
    earliest, latest = _UPLOADED_BETWEEN
    return (generation if earliest <= generation <= latest else time) // 1_000_000


def _row(facts: Facts) -> tuple[Any, ...]:
    flags = Known.LOOKED
    flags |= Known.TAKEN if facts.taken is not None else Known(0)
    flags |= Known.OFFSET if facts.offset is not None else Known(0)
    flags |= Known.PLACE if facts.place is not None else Known(0)
    flags |= Known.KEEPS_PLACES if facts.keeps_places else Known(0)
    flags |= Known.LOOK if facts.hash is not None else Known(0)
    flags |= Known.PREVIEW if facts.preview else Known(0)
    flags |= Known.NO_PREVIEW if facts.preview is False else Known(0)
    latitude, longitude = facts.place or (0.0, 0.0)
    return (
        int(flags),
        FORMATS.index(facts.format) + 1 if facts.format else 0,
        facts.thumbnail,
        facts.colour,
        facts.offset or 0,
        facts.size,
        latitude,
        longitude,
        facts.taken or 0,
        facts.hash or 0,
    )


_NOTHING = (0, 0, 0, (0, 0, 0), 0, 0, 0.0, 0.0, 0, 0)

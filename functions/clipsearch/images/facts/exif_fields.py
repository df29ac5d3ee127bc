"""Reads dates, offsets and the place from EXIF (EXIF 2.32, JEITA CP-3451)."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass

from clipsearch.images.exif import TagReader
from clipsearch.images.facts.dates import Taken, date
from clipsearch.images.facts.metadata import MAX_XMP
from clipsearch.images.facts.places import checked_place, degrees

EXIF_DIRECTORY, GPS_DIRECTORY, XMP = 0x8769, 0x8825, 0x02BC
CHANGED, ORIGINAL, DIGITIZED = 0x0132, 0x9003, 0x9004
ZONES = {CHANGED: 0x9010, ORIGINAL: 0x9011, DIGITIZED: 0x9012}
LATITUDE_SIDE, LATITUDE, LONGITUDE_SIDE, LONGITUDE = PLACE_TAGS = 1, 2, 3, 4
GPS_CLOCK, GPS_DATE = 7, 29

_WANTED = {EXIF_DIRECTORY, GPS_DIRECTORY, XMP, *ZONES, *ZONES.values(), GPS_CLOCK, GPS_DATE}
_WANTED_WITH_PLACES = _WANTED | {*PLACE_TAGS}

MAX_TEXT = 64  # bytes

# By tag, across the directories: no two of them share a wanted tag.
Values = dict[int, memoryview]


@dataclass(slots=True)
class ExifFields:
    """`original`, `digitized`, `changed`: by the clock of the camera. `gps_time`: seconds since
    1970. `place`: latitude and longitude in degrees. `xmp`: of a TIFF.

    `is_whole`: the data has all directories and values that are named in it.
    """

    original: Taken | None = None
    digitized: Taken | None = None
    changed: Taken | None = None
    gps_time: int | None = None
    place: tuple[float, float] | None = None
    xmp: bytes = b""
    is_whole: bool = False


def read_exif(data: bytes | memoryview, keeps_places: bool) -> ExifFields:
    """Read a TIFF structure, perhaps cut off. Damaged fields stay unknown."""
    try:
        reader = TagReader(data, _WANTED_WITH_PLACES if keeps_places else _WANTED)
    except (ValueError, struct.error):
        return ExifFields()
    values, is_whole = _values(reader, memoryview(data))
    return ExifFields(
        _date(values, ORIGINAL),
        _date(values, DIGITIZED),
        _date(values, CHANGED),
        _gps_time(values, reader.order),
        _place(values, reader.order),
        bytes(values.get(XMP, b"")[:MAX_XMP]),
        is_whole,
    )


def _values(reader: TagReader, data: memoryview) -> tuple[Values, bool]:
    """Return the values in the main, the EXIF and the GPS directory, and whether all are there."""
    values: Values = {}
    waiting, is_whole = [reader.first], True
    for _ in range(3):
        at = waiting.pop() if waiting else 0
        if not at:
            continue
        try:
            directory = reader.directory(at)
        except ValueError:
            is_whole = False
            continue
        for tag, (begin, end) in directory.spans.items():
            is_whole &= end <= len(data)
            if end <= len(data):
                values.setdefault(tag, data[begin:end])
        if at == reader.first:
            waiting = [directory.first(GPS_DIRECTORY), directory.first(EXIF_DIRECTORY)]
    return values, is_whole


def _date(values: Values, tag: int) -> Taken | None:
    return date(_text(values, tag), _text(values, ZONES[tag]))


def _text(values: Values, tag: int) -> str:
    text = bytes(values.get(tag, b"")[:MAX_TEXT])
    return text.partition(b"\0")[0].decode("ascii", "replace")


def _gps_time(values: Values, order: str) -> int | None:
    day, clock = date(_text(values, GPS_DATE)), _fractions(values, GPS_CLOCK, order)
    if day is None or day.seconds is None or len(clock) != 3:
        return None
    hours, minutes, seconds = clock
    is_clock = hours < 24 and minutes < 60 and seconds < 61
    return day.seconds + int(3600 * hours + 60 * minutes + seconds) if is_clock else None


def _place(values: Values, order: str) -> tuple[float, float] | None:
    latitude = degrees(
        _fractions(values, LATITUDE, order), _text(values, LATITUDE_SIDE), "NS", most=90
    )
    longitude = degrees(
        _fractions(values, LONGITUDE, order), _text(values, LONGITUDE_SIDE), "EW", most=180
    )
    return checked_place(latitude, longitude)


def _fractions(values: Values, tag: int, order: str) -> list[float]:
    """Up to three fractions; empty if a denominator is 0. Negative ones come out as huge."""
    content = values.get(tag, b"")[:24]
    found: list[float] = []
    with suppress(struct.error, ZeroDivisionError):
        for above, below in struct.iter_unpack(f"{order}II", content):
            found.append(above / below)
        return found
    return []

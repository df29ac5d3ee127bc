"""Reads dates from texts and chooses the one when a photo was taken."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from clipsearch.images.facts.exif_fields import ExifFields

FIRST_YEAR = 1826  # of the oldest photo that exists

# EXIF, ISO 8601 and what programs make of them. Parts of an EXIF time may be blank.
_DATE = re.compile(
    r"\s*(\d{4})([:/.-])(\d\d?)\2(\d\d?)"
    r"(?:[ T]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?[\s:]*",
    re.ASCII,
)
_ZONE = re.compile(r"\s*(?:(Z)|([+-])(\d\d):?(\d\d)?)\s*", re.ASCII)
LEAST_OFFSET, MOST_OFFSET = -12 * 60, 14 * 60  # minutes; the time zones in use

# A GPS time may be older than the picture. So it gives an offset only if the difference is this
# close to a multiple of 15 minutes, as all time zones are.
GPS_SECONDS = 30


class Taken(NamedTuple):
    """Seconds from 1970 to the time on a clock, and the minutes of that clock east of UTC."""

    seconds: int | None = None
    offset: int | None = None


def date(text: str, zone: str = "") -> Taken | None:
    """Read a date such as "2023:07:14 18:03:22" or "2023-07-14T18:03+02:00".

    A date without a time counts as 0:00. `zone` counts if `text` has none. Returns None if the
    text is no date or an impossible one.
    """
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, _, month, day, *clock, own_zone = found.groups(default="")
    parts = [int(part or 0) for part in (year, month, day, *clock)]
    return _taken(parts, offset(own_zone or zone))


def mail_date(text: str) -> Taken | None:
    """Read a date such as "Fri, 14 Jul 2023 18:03:22 +0200" (RFC 5322), which PNG recommends."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    east = found.utcoffset()
    minutes = None if east is None else _in_use(int(east.total_seconds()) // 60)
    return _taken([*found.timetuple()[:6]], minutes)


def _taken(parts: list[int], east: int | None) -> Taken | None:
    """`parts`: year, month, day, hour, minute, second."""
    if not FIRST_YEAR <= parts[0] <= time.gmtime().tm_year + 1:
        return None
    year, month, day, hour, minute, second = parts
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return Taken(int(moment.timestamp()), east)


def offset(text: str) -> int | None:
    """Read "+02:00", "+0200", "+02" or "Z" as minutes; None for anything else."""
    found = _ZONE.fullmatch(text)
    if not found:
        return None
    _, sign, hours, minutes = found.groups(default="0")
    if int(minutes) >= 60:
        return None
    east = 60 * int(hours) + int(minutes)
    return _in_use(-east if sign == "-" else east)


def _in_use(east: int) -> int | None:
    return east if LEAST_OFFSET <= east <= MOST_OFFSET else None


def taken_of(exif: ExifFields, texts: Mapping[str, str], created: str) -> Taken:
    """Choose the date when the photo was taken, before when it was digitized, before its last edit.

    `texts`: XMP properties. `created`: the creation time of a PNG.
    """
    stated = {name: date(text) for name, text in texts.items()}
    candidates = (
        exif.original,
        stated.get("exif:DateTimeOriginal"),
        stated.get("photoshop:DateCreated"),
        exif.digitized,
        stated.get("exif:DateTimeDigitized"),
        stated.get("xmp:CreateDate"),
        date(created) or mail_date(created),
        exif.changed,
    )
    known = [candidate for candidate in candidates if candidate]
    if not known:
        return Taken()
    taken = known[0]
    same = (other.offset for other in known if other.seconds == taken.seconds)
    east = next((offset for offset in same if offset is not None), None)
    return Taken(taken.seconds, _gps_offset(taken, exif.gps_time) if east is None else east)


def _gps_offset(taken: Taken, gps_time: int | None) -> int | None:
    if taken.seconds is None or gps_time is None:
        return None
    difference = taken.seconds - gps_time
    east = 15 * round(difference / 900)
    return _in_use(east) if abs(difference - 60 * east) <= GPS_SECONDS else None

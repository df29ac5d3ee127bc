"""Finds simple properties in XMP (ISO 16684-1) by their usual prefixes.

It is searched as bytes, without an XML parser: so no entity is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from clipsearch.images.facts.places import checked_place, degrees

DATES = (
    *("exif:DateTimeOriginal", "photoshop:DateCreated"),
    *("exif:DateTimeDigitized", "xmp:CreateDate"),
)
PLACES = ("exif:GPSLatitude", "exif:GPSLongitude")

# Written as an attribute or as an element.
_PATTERNS = {
    name: re.compile(name.encode() + rb"""\s*(?:=\s*["']|>)([^<>"']{1,64})""")
    for name in (*DATES, *PLACES)
}
MAX_FOUND = 8  # places per property; the first one that is not blank counts

_COORDINATE = re.compile(r"(\d{1,3}),(\d{1,2}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])", re.A)


def texts(xmp: bytes, keeps_places: bool) -> dict[str, str]:
    """Return the properties that are there. Without `keeps_places`, places are not read."""
    found = {}
    for name in (*DATES, *PLACES) if keeps_places else DATES:
        text = _text(xmp, name)
        if text:
            found[name] = text
    return found


def _text(xmp: bytes, name: str) -> str:
    for _, match in zip(range(MAX_FOUND), _PATTERNS[name].finditer(xmp), strict=False):
        text = match[1].decode("ascii", "replace").strip()
        if text:
            return text
    return ""


def place(texts: Mapping[str, str]) -> tuple[float, float] | None:
    """Read latitude and longitude, such as "51,30.5N" or "51,30,15N"."""
    latitude, longitude = (_COORDINATE.fullmatch(texts.get(name, "")) for name in PLACES)
    if not latitude or not longitude:
        return None
    return checked_place(_degrees(latitude, "NS", 90), _degrees(longitude, "EW", 180))


def _degrees(found: re.Match[str], sides: str, most: int) -> float | None:
    *parts, side = found.groups(default="0")
    return degrees([float(part) for part in parts], side, sides, most)

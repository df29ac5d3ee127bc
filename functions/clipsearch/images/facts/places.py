"""Degrees of latitude and longitude from their parts."""

from __future__ import annotations

from collections.abc import Sequence


def degrees(parts: Sequence[float], side: str, sides: str, most: int) -> float | None:
    """Add degrees, minutes and seconds. `sides`: two letters; the second one is negative.

    Returns None without parts, for another `side`, or out of range.
    """
    letter = side.strip()[:1].upper()
    if not parts or not letter or letter not in sides:
        return None
    whole, minutes, seconds = (*parts, 0, 0)[:3]
    found = whole + minutes / 60 + seconds / 3600
    # 60 comes from rounding
    if minutes > 60 or seconds > 60 or found > most:
        return None
    return -found if letter == sides[1] else found


def checked_place(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """Cameras without a fix write (0, 0): then the place is unknown."""
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None
    return latitude, longitude

"""Filters in SQL, for the columns of rows.py. The conditions use the indexes of these columns."""

from __future__ import annotations

import math
from collections.abc import Iterable

from clipsearch.engine.protocol import Keys
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.facts import FORMATS
from clipsearch.index.search.filter import Filter

PIXELS = 1_000_000  # of a megapixel
LAST = "\ud7ff"  # the last character before the surrogates, which no text has


def where(filter: Filter) -> str:
    """The photos that fit a filter with criteria of FILTERS."""
    parts = [f"kind = {Kind.VECTOR.value}"]
    if filter.photo:
        parts.append(f"name = {_text(filter.photo)}")
    if filter.folder:
        parts.append(beginning_with(filter.folder))
    if filter.after is not None:
        parts.append(f"{_time(filter.after.is_instant)} >= {filter.after.seconds}")
    if filter.before is not None:
        parts.append(f"{_time(filter.before.is_instant)} < {filter.before.seconds}")
    if filter.orientation is not None:
        parts.append(f"orientation = {filter.orientation.value}")
    if filter.formats:
        numbers = (str(FORMATS.index(name) + 1) for name in filter.formats)
        parts.append(f"format IN ({', '.join(numbers)})")
    if filter.min_megapixels:
        parts.append(f"pixels >= {max(1, math.ceil(filter.min_megapixels * PIXELS))}")
    return " AND ".join(parts)


def beginning_with(prefix: str) -> str:
    """Names sort like the characters of a string in Python."""
    last = prefix[-1]
    least = f"name >= {_text(prefix)}"
    if last >= LAST:
        return f"{least} AND starts_with(name, {_text(prefix)})"
    return f"{least} AND name < {_text(prefix[:-1] + chr(ord(last) + 1))}"


def behind(date: int, name: str, oldest: bool) -> str:
    """The photos behind a date and a name in a list by date."""
    sign = ">" if oldest else "<"
    return f"(date {sign} {date} OR (date = {date} AND name > {_text(name)}))"


def one_of(keys: Keys) -> str:
    return f"key IN ({', '.join(_literals(keys))})"


def key_below(first: int) -> str:
    """`first`: of the first eight bytes of a key."""
    return f"key < X'{first:016x}'"


def _literals(keys: Keys) -> Iterable[str]:
    return (f"X'{first:016x}{second:016x}'" for first, second in keys.tolist())


def _time(is_instant: bool) -> str:
    return "instant" if is_instant else "date"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

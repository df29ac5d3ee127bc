"""Makes entries of now."""

from __future__ import annotations

import time
from typing import Any

from clipsearch.index.format.entries import Entry, Kind


def vector(name: str, at: int, **known: Any) -> Entry:
    """`known`: vector, width, height, facts."""
    return _entry(name, at, Kind.VECTOR, **known)


def failure(name: str, at: int, reason: str, cause: int) -> Entry:
    return _entry(name, at, Kind.FAILURE, reason=reason, cause=cause)


def tombstone(name: str, at: int) -> Entry:
    return _entry(name, at, Kind.TOMBSTONE)


def _entry(name: str, at: int, kind: Kind, **more: Any) -> Entry:
    return Entry(name, at, kind, time_us=time.time_ns() // 1000, **more)

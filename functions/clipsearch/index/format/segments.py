"""Segments: write-once objects with the entries of one space, as plain .npz (no pickle).

`numpy.load(file, allow_pickle=False)` reads one. The arrays are the columns of Entries, `format`
and `space`. `facts` may be absent.
"""

from __future__ import annotations

import io
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.errors import DamagedObject
from clipsearch.index.format.entries import Entries, Entry, Kind
from clipsearch.index.format.facts import as_facts
from clipsearch.index.format.npz import arrays_of
from clipsearch.storage import Bucket

FORMAT = 1
_COLUMNS = tuple(f.name for f in fields(Entries) if f.name != "facts")
_EMPTY = Entries.from_entries([])  # has the expected dtypes and numbers of dimensions


def segments_prefix(space: str) -> str:
    return f"{space}/segments/"


def segment_path(space: str, name: str) -> str:
    """The object name of the segment `name`."""
    return f"{segments_prefix(space)}{name}"


def new_segment_name(time_us: int) -> str:
    """Sorts by time (µs since 1970) if clocks agree; 48 random bits make it unique."""
    return f"{time_us:016x}-{secrets.token_hex(6)}.npz"


def is_segment_name(name: str) -> bool:
    """Whether it has the form of new_segment_name(). Other objects are ignored."""
    return re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{12}\.npz", name) is not None


def time_of(name: str) -> int:
    """When the segment with this name was named, µs since 1970, by its writer's clock."""
    return int(name[:16], 16)


def write_segment(bucket: Bucket, space: str, entries: Sequence[Entry]) -> str:
    """Write one new segment and return its name. The entries are then durable."""
    return write_entries(bucket, space, Entries.from_entries(entries))


def write_entries(bucket: Bucket, space: str, entries: Entries) -> str:
    """As write_segment(), for entries as columns."""
    if not len(entries):
        raise ValueError("a segment needs at least one entry")
    name = new_segment_name(time.time_ns() // 1000)
    bucket.create(segment_path(space, name), segment_bytes(space, entries))
    return name


def read_segment(bucket: Bucket, space: str, name: str) -> Entries:
    """Raises UnknownFormat, DamagedObject, and ObjectNotFound if a merge replaced the segment."""
    path = segment_path(space, name)
    return entries_of(path, space, bucket.read(path))


def segment_bytes(space: str, entries: Entries, **more: Any) -> bytes:
    """The .npz file; `more`: additional arrays."""
    columns = {column: getattr(entries, column) for column in _COLUMNS}
    file = io.BytesIO()
    columns["facts"] = entries.facts
    np.savez(file, format=np.int32(FORMAT), space=np.str_(space), **columns, **more)
    return file.getvalue()


def entries_of(path: str, space: str, data: bytes) -> Entries:
    """The entries in the bytes of the segment at `path`; raises DamagedObject."""
    entries = entries_in(path, space, arrays_of(path, data, FORMAT))
    if len(entries.vectors) != np.count_nonzero(entries.kinds == Kind.VECTOR):
        reason = f"its {len(entries.vectors)} vectors do not match its number of photos"
        raise DamagedObject(path, reason)
    return entries


def entries_in(path: str, space: str, arrays: dict[str, npt.NDArray[Any]]) -> Entries:
    """The columns in `arrays`, verified except for the number of vectors; raises DamagedObject."""
    _check_header(path, space, arrays)
    try:
        facts = as_facts(arrays.get("facts"), len(arrays["generations"]))
    except (ValueError, TypeError) as error:
        raise DamagedObject(path, str(error)) from error
    entries = Entries(facts=facts, **{column: arrays[column] for column in _COLUMNS})
    fault = _fault(entries)
    if fault:
        raise DamagedObject(path, fault)
    return entries


def _check_header(path: str, space: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
    missing = {"format", "space", *_COLUMNS} - arrays.keys()
    if "format" in arrays and arrays["format"].tolist() != FORMAT:
        found = arrays["format"].tolist()
        raise DamagedObject(path, f"its format is {found!r}; this version reads only {FORMAT}")
    if missing:
        raise DamagedObject(path, f"it lacks {', '.join(sorted(missing))}")
    if arrays["space"].tolist() != space:
        raise DamagedObject(path, f"its space is {arrays['space'].tolist()!r}, not {space!r}")


def _fault(entries: Entries) -> str | None:
    """What is wrong with the columns, or None."""
    for column in _COLUMNS:
        found, expected = getattr(entries, column), getattr(_EMPTY, column)
        if found.dtype != expected.dtype or found.ndim != expected.ndim:
            return f"{column} is {found.dtype} with {found.ndim} dimensions"
    n = len(entries)
    for column in ("name_ends", "keys", "kinds", "widths", "heights", "times"):
        if len(getattr(entries, column)) != n:
            return f"{column} has {len(getattr(entries, column))} rows, not {n}"
    if n == 0 or entries.keys.shape[1] != 2 or entries.kinds.max() > max(Kind):
        return "it has no entries, or invalid keys or kinds"
    if len(entries.reason_ends) != np.count_nonzero(entries.kinds == Kind.FAILURE):
        return f"its {len(entries.reason_ends)} reasons do not match its number of failures"
    return _text_fault("names", entries.names, entries.name_ends) or _text_fault(
        "reasons", entries.reasons, entries.reason_ends
    )


def _text_fault(column: str, packed: npt.NDArray[Any], ends: npt.NDArray[Any]) -> str | None:
    if (np.diff(ends, prepend=0) < 0).any() or (ends[-1] if len(ends) else 0) != len(packed):
        return f"the ends of {column} do not match their bytes"
    try:
        packed.tobytes().decode()
    except UnicodeDecodeError as exc:
        return f"{column} are not UTF-8 ({exc})"
    return None

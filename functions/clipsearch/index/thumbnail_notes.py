"""Notes of pictures that nobody needs, until they are deleted (ingest/old_thumbnails.py).

    old_thumbnails/<microseconds, 16 hex>-<12 random hex>.json
        {"format": 1, "thumbnails": [[name of the photo, generation, version], …],
         "gone": [[name of the photo, generation], …]}

`thumbnails`: newer ones replace them. `gone`, which may be absent: photos that were deleted,
perhaps while their pictures were written.

They belong to no space, because thumbnails belong to none.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clipsearch.errors import DamagedObject
from clipsearch.index.format.entries import Kind, key_of
from clipsearch.index.format.versions import refuse_newer
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.storage import Bucket, Stat

FORMAT = 1
FOLDER = "old_thumbnails/"


class OldThumbnail(NamedTuple):
    """The thumbnail of this version of a photo. `generation`: that of the photo's entry."""

    name: str
    generation: int
    version: int


@dataclass(frozen=True, slots=True)
class Note:
    thumbnails: list[OldThumbnail]
    gone: list[tuple[str, int]]


def write_note(
    index: Bucket,
    thumbnails: Sequence[OldThumbnail],
    time_us: int,
    gone: Sequence[tuple[str, int]] = (),
) -> None:
    """Raises StorageError."""
    document: dict[str, Any] = {"format": FORMAT, "thumbnails": [list(t) for t in thumbnails]}
    if gone:
        document["gone"] = [list(photo) for photo in gone]
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    path = f"{FOLDER}{time_us:016x}-{secrets.token_hex(6)}.json"
    index.create(path, data, "application/json")


def list_notes(index: Bucket) -> list[Stat]:
    """One request, if there are fewer than a thousand."""
    return list(index.list(FOLDER))


def read_note(index: Bucket, path: str) -> Note:
    """Raises ObjectNotFound, StorageError, UnknownFormat, DamagedObject."""
    data = index.read(path)
    try:
        document = json.loads(data)
        refuse_newer(path, document.get("format"), FORMAT)
        old = [_thumbnail(*row) for row in document["thumbnails"]]
        return Note(old, [_photo(*row) for row in document.get("gone", [])])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise DamagedObject(path, f"it is not a note of thumbnails: {exc!r:.300}") from exc


def named(
    old: Sequence[OldThumbnail], catalogues: Sequence[Catalogue], since: datetime
) -> npt.NDArray[np.bool_]:
    """(n,) which thumbnails an entry names, or may have named after `since`."""
    keys = np.array([key_of(one.name) for one in old], np.uint64).reshape(-1, 2)
    generations = np.array([one.generation for one in old], np.int64)
    versions = np.array([one.version for one in old], np.int64)
    found = np.zeros(len(old), bool)
    for catalogue in catalogues:
        rows = catalogue.rows_of(keys)
        is_known = rows >= 0
        entries, rows = catalogue.rows, rows[is_known]
        is_same = (entries.generations[rows] == generations[is_known]) & (
            entries.kinds[rows] == Kind.VECTOR
        )
        # Version 0, unknown, has the name of version 1.
        present = np.maximum(entries.facts["thumbnail"][rows].astype(np.int64), 1)
        is_recent = entries.times[rows] > since.timestamp() * 1e6
        found[is_known] |= is_same & ((present == versions[is_known]) | is_recent)
    return found


def are_there(
    photos: Sequence[tuple[str, int]], catalogues: Sequence[Catalogue]
) -> npt.NDArray[np.bool_]:
    """(n,) which (name, generation) have a vector in one of the catalogues."""
    keys = np.array([key_of(name) for name, _ in photos], np.uint64).reshape(-1, 2)
    generations = np.array([generation for _, generation in photos], np.int64)
    found = np.zeros(len(photos), bool)
    for catalogue in catalogues:
        rows = catalogue.rows_of(keys)
        is_known = rows >= 0
        entries, rows = catalogue.rows, rows[is_known]
        is_same = entries.generations[rows] == generations[is_known]
        found[is_known] |= is_same & (entries.kinds[rows] == Kind.VECTOR)
    return found


def _photo(name: Any, generation: Any) -> tuple[str, int]:
    old = _thumbnail(name, generation, 0)
    return old.name, old.generation


def _thumbnail(name: Any, generation: Any, version: Any) -> OldThumbnail:
    if type(name) is str and name and type(generation) is type(version) is int:
        return OldThumbnail(name, generation, version)
    raise ValueError(f"{[name, generation, version]!r:.300} is no thumbnail")

"""Deletes thumbnails that newer ones replaced, and pictures of deleted photos.

A fill notes the old thumbnails, then writes the entries that name the new ones. GRACE after that,
no reader holds an entry that names an old one. The sweep asks the index, because the fill may have
been killed between the two. It deletes no thumbnail that an entry names, in any space that people
search. All of it may be repeated. Without notes, it costs one request.

The pictures of an upload and its entry are written side by side. A deletion in the same moment may
be carried out before them, so it leaves a note. After GRACE no upload of then goes on.

Import this inside functions only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from clipsearch.errors import DamagedObject, NoModel, ObjectNotFound, UnknownFormat
from clipsearch.images.thumbnails import thumbnail_name
from clipsearch.index.compaction.run import GRACE
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.thumbnail_notes import (
    Note,
    OldThumbnail,
    are_there,
    list_notes,
    named,
    read_note,
)
from clipsearch.model.pointer import current_pointer
from clipsearch.storage import Bucket, Stat
from ingest.pool import REQUESTS_AT_ONCE, request_pool
from ingest.services import Services
from ingest.stored_thumbnails import remove_pictures_of

# Then a note goes even if thumbnails of it are still named: of a space that was never searched.
NOTES_KEPT = timedelta(days=7)

_log = logging.getLogger("clipsearch")


def sweep_thumbnails(services: Services, seconds: float, now: datetime) -> int:
    """Delete old thumbnails for about `seconds`; returns how many. Raises StorageError."""
    index = services.index
    due = [note for note in list_notes(index) if now - note.updated >= GRACE]
    if not due:
        return 0
    deadline = time.monotonic() + seconds
    catalogues = [_catalogue(services, space) for space in _spaces(services)]
    deleted = 0
    for begin in range(0, len(due), REQUESTS_AT_ONCE):
        if time.monotonic() > deadline:
            break
        deleted += _sweep(due[begin : begin + REQUESTS_AT_ONCE], catalogues, services, now)
    return deleted


def _sweep(
    notes: Sequence[Stat], catalogues: Sequence[Catalogue], services: Services, now: datetime
) -> int:
    """Carry out a few notes side by side: a day of many deletions leaves many of them."""
    index = services.index
    useless: list[OldThumbnail] = []
    gone: list[tuple[str, int]] = []
    done: list[str] = []
    with request_pool() as pool:
        for note, noted in zip(notes, pool.map(partial(_read, index), notes), strict=True):
            if noted is None:
                continue
            is_named = named(noted.thumbnails, catalogues, since=now - GRACE)
            useless += [t for t, stays in zip(noted.thumbnails, is_named, strict=True) if not stays]
            is_there = are_there(noted.gone, catalogues)
            gone += [photo for photo, stays in zip(noted.gone, is_there, strict=True) if not stays]
            if not is_named.any() or now - note.updated >= NOTES_KEPT:
                done.append(note.name)
        list(pool.map(services.thumbnails.delete, [thumbnail_name(*one) for one in useless]))
        remove_pictures_of(gone, services, pool)
        list(pool.map(index.delete, done))
    return len(useless)


def _read(index: Bucket, note: Stat) -> Note | None:
    try:
        return read_note(index, note.name)
    except (ObjectNotFound, UnknownFormat):  # of another run, or of a newer version
        return None
    except DamagedObject as damaged:
        _log.error("some old thumbnails stay: %s", damaged)
        return Note([], [])


def _catalogue(services: Services, space: str) -> Catalogue:
    return SnapshotReader(services.index, space, keep_vectors=False).refresh().catalogue


def _spaces(services: Services) -> set[str]:
    """Those that people search now, or soon, or may go back to."""
    spaces = {services.model.space()}
    with suppress(NoModel):
        pointer = current_pointer(services.index)
        spaces |= {pointer.space, *pointer.beside}
    return spaces

"""Deletes thumbnails that newer ones replaced.

A fill notes the old thumbnails, then writes the entries that name the new ones. GRACE after that,
no reader holds an entry that names an old one. The sweep asks the index, because the fill may have
been killed between the two. It deletes no thumbnail that an entry names, in any space that people
search. All of it may be repeated. Without notes, it costs one request.

Import this inside functions only.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import datetime, timedelta

from clipsearch.errors import DamagedObject, NoModel, ObjectNotFound, UnknownFormat
from clipsearch.images.thumbnails import thumbnail_name
from clipsearch.index.compaction.run import GRACE
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.thumbnail_notes import list_notes, named, read_note
from clipsearch.model.pointer import current_pointer
from ingest.pool import request_pool
from ingest.services import Services

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
    for note in due:
        if time.monotonic() > deadline:
            break
        try:
            old = read_note(index, note.name)
        except (ObjectNotFound, UnknownFormat):  # of another run, or of a newer version
            continue
        except DamagedObject as damaged:
            _log.error("some old thumbnails stay: %s", damaged)
            old = []
        is_named = named(old, catalogues, since=now - GRACE)
        useless = [one for one, stays in zip(old, is_named, strict=True) if not stays]
        with request_pool() as pool:
            list(pool.map(services.thumbnails.delete, [thumbnail_name(*one) for one in useless]))
        deleted += len(useless)
        if not is_named.any() or now - note.updated >= NOTES_KEPT:
            index.delete(note.name)
    return deleted


def _catalogue(services: Services, space: str) -> Catalogue:
    return SnapshotReader(services.index, space, keep_vectors=False).refresh().catalogue


def _spaces(services: Services) -> set[str]:
    """Those that people search now, or soon, or may go back to."""
    spaces = {services.model.space()}
    with suppress(NoModel):
        pointer = current_pointer(services.index)
        spaces |= {pointer.space, *pointer.beside}
    return spaces

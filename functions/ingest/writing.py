"""Writes the entries of photos that are prepared, and takes care of those deleted meanwhile.

Import this inside functions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from clipsearch.images.thumbnails import THUMBNAIL
from clipsearch.index.format.entries import Cause, Entry, Kind
from clipsearch.index.format.segments import write_segment
from ingest.entries import tombstone
from ingest.prepare import Prepared
from ingest.services import Services
from ingest.stored_thumbnails import remove_pictures_of
from ingest.storing import Storing


def write_batch(
    photos: Sequence[Prepared],
    entries: Sequence[Entry],
    space: str,
    services: Services,
    pool: ThreadPoolExecutor,
) -> list[bool]:
    """Write one segment after all pictures; returns which photos were deleted or replaced
    meanwhile. These get a tombstone. Raises StorageError."""
    for one in photos:
        if one.storing:
            one.storing.wait()
    news = [e for p, e in zip(photos, entries, strict=True) if _is_news(p, e)]
    if news:
        write_segment(services.index, space, news)
    for one in photos:
        # The tombstone of a deletion is older than an entry that overrules others. So look again.
        if one.storing and one.photo.at != one.photo.generation:
            one.storing.look()
    is_lost = [one.storing is not None and not one.storing.is_there() for one in photos]
    lost = [p.photo for p, went in zip(photos, is_lost, strict=True) if went]
    if lost:
        write_segment(services.index, space, [tombstone(p.name, p.at) for p in lost])
    _remove_useless(photos, entries, is_lost, services, pool)
    return is_lost


def write_event(
    photos: Sequence[Prepared],
    entries: Sequence[Entry],
    space: str,
    services: Services,
    pool: ThreadPoolExecutor,
) -> list[bool]:
    """Write the entry of one photo beside its pictures; returns whether the photo was deleted or
    replaced meanwhile. Raises StorageError.

    A deletion in the same moment may miss the pictures: remove_photos() notes them for later.
    """
    [photo], [entry] = photos, entries
    storing = photo.storing
    if storing is None:
        if _is_news(photo, entry):
            write_segment(services.index, space, [entry])
        is_lost = False
    else:
        if services.pictures_fail:
            _wait(storing, services)
        storing.look()
        write_segment(services.index, space, [entry])
        try:
            _wait(storing, services)
        except Exception:
            write_segment(services.index, space, [_without_pictures(entry)])
            raise
        is_lost = not storing.is_there()
    _remove_useless(photos, entries, [is_lost], services, pool)
    return [is_lost]


def _wait(storing: Storing, services: Services) -> None:
    try:
        storing.wait()
    except BaseException:
        services.pictures_fail = True
        raise
    services.pictures_fail = False


def _without_pictures(entry: Entry) -> Entry:
    """Wins over `entry`. Its facts make a reconcile write the pictures, if the event is lost."""
    assert entry.facts is not None
    facts = replace(entry.facts, thumbnail=THUMBNAIL - 1, preview=None)
    return replace(entry, time_us=entry.time_us + 1, facts=facts)


def _is_news(one: Prepared, entry: Entry) -> bool:
    photo = one.photo
    if entry.kind == Kind.TOMBSTONE:  # a photo's own event, or its successor's, says so, too
        return not photo.is_of_event
    # An entry at the known generation says "refused" already.
    return entry.cause != Cause.REFUSED or photo.at != photo.known


def _remove_useless(
    photos: Sequence[Prepared],
    entries: Sequence[Entry],
    is_lost: Sequence[bool],
    services: Services,
    pool: ThreadPoolExecutor,
) -> None:
    """Remove the pictures of photos that are gone, and of replaced entries."""
    useless = []
    for one, entry, lost in zip(photos, entries, is_lost, strict=True):
        photo = one.photo
        if photo.known and photo.known != photo.at:
            useless.append((photo.name, photo.known))
        if lost or entry.kind == Kind.TOMBSTONE:
            useless.append((photo.name, photo.at))
    remove_pictures_of(useless, services, pool)

"""Looks again at an indexed photo: for its facts, its thumbnail and its preview.

It reads no more of the file than it needs, and decodes it only for a missing picture. Import this
inside functions only.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from clipsearch.cpus import cpus
from clipsearch.errors import ObjectNotFound, UnreadablePhoto
from clipsearch.images.decode import MAX_BYTES
from clipsearch.images.look import Look, look_of
from clipsearch.images.thumbnails import THUMBNAIL, make_thumbnail, read_pixels
from clipsearch.index.format.facts import Facts
from clipsearch.index.format.generations import stands_for
from ingest.facts import facts_in, facts_of
from ingest.previews import is_needed, try_preview
from ingest.services import Services
from ingest.stored_thumbnails import (
    has_preview,
    read_thumbnail,
    remove_pictures,
    remove_thumbnail,
    write_preview,
    write_thumbnail,
)

HEAD_BYTES = 64 << 10  # of a file: nearly all cameras write date and place into them
UNKNOWN_VERSION = 0  # of a thumbnail; has the name of version 1


@dataclass(frozen=True, slots=True)
class Indexed:
    """A photo as its entry has it. `at`: the generation; `facts`: None if nothing is known."""

    name: str
    at: int
    width: int
    height: int
    facts: Facts | None


class LookAgain:
    """Safe to use from several threads."""

    def __init__(self, services: Services, keeps_places: bool | None) -> None:
        """`keeps_places`: None leaves places as they are."""
        self._services, self._keeps_places = services, keeps_places
        self._decoding = threading.BoundedSemaphore(cpus())  # one decode a core

    def facts(self, photo: Indexed) -> Facts:
        """The facts; writes the missing pictures first.

        Raises ObjectNotFound if the photo is another one by now, StorageError, UnreadablePhoto.
        """
        photos, known = self._services.photos, photo.facts or Facts()
        stat = photos.stat(photo.name)
        if not stands_for(photo.at, stat.generation):
            raise ObjectNotFound(photo.name, photo.at)
        keeps_places = known.keeps_places if self._keeps_places is None else self._keeps_places
        head = memoryview(bytearray(HEAD_BYTES))
        size = photos.read_into(photo.name, head)
        file = facts_in(head[:size], keeps_places)
        look, version, preview = self._stored_look(photo), THUMBNAIL, known.preview
        lacks_preview = (
            self._services.settings.previews
            and preview is None
            and is_needed(file, stat.size, photo.width, photo.height)
        )
        if lacks_preview and has_preview(photo.name, photo.at, self._services):
            lacks_preview, preview = False, True
        is_cut = size == HEAD_BYTES and not file.is_complete
        if is_cut or look is None or lacks_preview:
            data = photos.read(photo.name, stat.generation, most=MAX_BYTES)
            file = facts_in(data, keeps_places)
            has_new = look is None or lacks_preview
            if look is None:
                look = self._new_look(photo, data)
            if look is None:  # the photo cannot be decoded any more: its old thumbnail stays
                look, version = _known_look(known), UNKNOWN_VERSION
                preview = False if lacks_preview else preview
            elif lacks_preview:
                preview = self._new_preview(photo, data)
            if has_new:
                self._check_still_there(photo, stat.generation)
        return facts_of(file, stat.size, look, keeps_places, preview, version)

    def _stored_look(self, photo: Indexed) -> Look | None:
        """Of the thumbnail; None if there is none. Removes a damaged one."""
        thumbnail = read_thumbnail(photo.name, photo.at, self._services)
        try:
            return None if thumbnail is None else _look_in(thumbnail, photo)
        except UnreadablePhoto:
            remove_thumbnail(photo.name, photo.at, self._services)
            return None

    def _new_look(self, photo: Indexed, data: bytes) -> Look | None:
        """Write the missing thumbnail. None if the photo cannot be decoded any more."""
        try:
            with self._decoding:
                decoded = self._services.model.encoder().decode(data)
                thumbnail = make_thumbnail(decoded.thumbnail)
        except UnreadablePhoto:
            return None
        write_thumbnail(photo.name, photo.at, thumbnail, self._services)
        return _look_in(thumbnail, photo)

    def _new_preview(self, photo: Indexed, data: bytes) -> bool | None:
        """Write the missing preview; returns what the facts say of it."""
        with self._decoding:
            preview, is_there = try_preview(photo.name, data)
        if preview:
            write_preview(photo.name, photo.at, preview, self._services)
        return is_there

    def _check_still_there(self, photo: Indexed, generation: int) -> None:
        """Raises ObjectNotFound if not: its deletion may have run before pictures were written."""
        try:
            is_there = self._services.photos.stat(photo.name).generation == generation
        except ObjectNotFound:
            is_there = False
        if not is_there:
            remove_pictures(photo.name, photo.at, self._services)
            raise ObjectNotFound(photo.name, generation)


def _look_in(thumbnail: bytes, photo: Indexed) -> Look:
    """The look that is known, so that a larger thumbnail changes no stack; else that of the
    thumbnail. Raises UnreadablePhoto."""
    pixels = read_pixels(thumbnail)
    return _known_look(photo.facts) or look_of(pixels)


def _known_look(facts: Facts | None) -> Look | None:
    return Look(facts.hash, facts.colour) if facts and facts.hash is not None else None

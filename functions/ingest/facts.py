"""Puts together the facts of a photo: those of its file, and the look of its thumbnail.

An upload and a later fill (fill_facts.py) give equal facts. So both look at the encoded thumbnail,
usually the only pixels that a fill has. Decoding it takes about 3 ms.
"""

from __future__ import annotations

import logging

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.facts import FileFacts, file_facts
from clipsearch.images.kinds import format_of
from clipsearch.images.look import Look
from clipsearch.images.thumbnails import THUMBNAIL
from clipsearch.index.format.facts import Facts

_log = logging.getLogger("clipsearch")


def facts_of(
    file: FileFacts,
    size: int,
    look: Look | None,
    keeps_places: bool,
    preview: bool | None,
    thumbnail: int = THUMBNAIL,
) -> Facts:
    """`size`: bytes of the file. `look`: of its thumbnail; None: there is none. `preview`: as in
    Facts. `thumbnail`: the version, if there is a look."""
    return Facts(
        format=file.format,
        size=size,
        taken=file.taken,
        offset=file.offset,
        place=file.place,
        keeps_places=keeps_places,
        hash=look.hash if look else None,
        colour=look.colour if look else (0, 0, 0),
        thumbnail=thumbnail if look else 0,
        preview=preview,
    )


def facts_in(data: bytes | memoryview, keeps_places: bool) -> FileFacts:
    """What the file, or its first bytes, says. Nothing for a file that is no picture."""
    try:
        return file_facts(data, keeps_places)
    except MemoryError:
        raise
    except UnreadablePhoto:
        return FileFacts("", is_complete=True)
    except Exception as error:  # a fault of ours must not keep a photo out of the index
        _log.exception("the metadata of a photo is ignored: %r", error)
        return FileFacts(format_of(bytes(data)), is_complete=True)

"""Makes the preview of a photo that needs one. A photo whose preview fails is indexed without it.

Import this inside functions only.
"""

from __future__ import annotations

import logging

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.facts import FileFacts
from clipsearch.images.previews import make_preview
from clipsearch.index.format.previews import format_number, needs_preview

_log = logging.getLogger("clipsearch")


def is_needed(file: FileFacts, size: int, width: int, height: int) -> bool:
    """`size`: bytes of the file. `width`, `height`: pixels of the photo."""
    return bool(needs_preview(format_number(file.format), size, width, height))


def try_preview(name: str, data: bytes) -> tuple[bytes | None, bool | None]:
    """Returns (the preview, what the facts say of it).

    Without memory it says nothing, so that a reconcile tries again.
    """
    try:
        return make_preview(data), True
    except UnreadablePhoto as error:
        _log.warning("%r has no preview: %s", name, error.reason)
        return None, False
    except MemoryError:
        _log.warning("%r has no preview yet: out of memory", name)
        return None, None

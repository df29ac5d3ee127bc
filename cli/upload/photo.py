"""Checks that bytes are a photo, and detects its content type."""

from __future__ import annotations

import threading

from cli.upload.source import NotAPhoto, OwnFault
from clipsearch.cpus import cpus
from clipsearch.errors import UnreadablePhoto
from clipsearch.images.decode import decode_photo
from clipsearch.images.kinds import format_of

CONTENT_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIC": "image/heic",
}

ANY_ENCODER = 224  # pixels; any size tells whether a photo can be read

# More at once than there are cores would not be faster.
_decoding = threading.BoundedSemaphore(cpus())


def check_photo(data: bytes) -> str:
    """The content type of a photo that `ingest` can read. Raises NotAPhoto, OwnFault."""
    type_ = check_format(data)
    try:
        with _decoding:
            decode_photo(data, ANY_ENCODER)
    except UnreadablePhoto as error:
        raise OwnFault(error.reason) from error
    return type_


def check_format(beginning: bytes) -> str:
    """The content type by the first bytes of a file. NotAPhoto if it is not a picture."""
    try:
        return CONTENT_TYPES[format_of(beginning)]
    except UnreadablePhoto as error:
        raise NotAPhoto(error.reason) from error

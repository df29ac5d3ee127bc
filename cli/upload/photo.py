"""Whether bytes are a whole photo, and of which content type."""

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

ANY_ENCODER = 224  # pixels: which photos can be read does not depend on it

# More at once than cores is no quicker.
_decoding = threading.BoundedSemaphore(cpus())


def check_photo(data: bytes) -> str:
    """The content type of what `ingest` will be able to read. Raises NotAPhoto, OwnFault."""
    type_ = check_format(data)
    try:
        with _decoding:
            decode_photo(data, ANY_ENCODER)
    except UnreadablePhoto as error:
        raise OwnFault(error.reason) from error
    return type_


def check_format(beginning: bytes) -> str:
    """The content type that a file begins like; NotAPhoto for any but a picture's."""
    try:
        return CONTENT_TYPES[format_of(beginning)]
    except UnreadablePhoto as error:
        raise NotAPhoto(error.reason) from error

"""Whether bytes are a whole photo, and of which content type."""

from __future__ import annotations

import os
import threading

from clipsearch.decode import decode_photo, format_of
from clipsearch.errors import UnreadablePhoto
from clipsearch.preprocess import DECODED_SIZE
from tools.upload.source import NotAPhoto, OwnFault

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

# A decoded photo takes up to some hundred megabytes; more at once than cores is no quicker.
_decoding = threading.BoundedSemaphore(os.cpu_count() or 1)


def check_photo(data: bytes) -> str:
    """The content type of what `ingest` will be able to read. Raises NotAPhoto, OwnFault."""
    type_ = check_format(data)
    try:
        with _decoding:
            decode_photo(data, for_size=DECODED_SIZE)
    except UnreadablePhoto as error:
        raise OwnFault(error.reason) from error
    return type_


def check_format(beginning: bytes) -> str:
    """The content type that a file begins like; NotAPhoto for any but a picture's."""
    try:
        return CONTENT_TYPES[format_of(beginning)]
    except UnreadablePhoto as error:
        raise NotAPhoto(error.reason) from error

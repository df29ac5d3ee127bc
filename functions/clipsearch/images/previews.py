"""Previews: larger than thumbnails, for photos that browsers cannot show or that take long to load.

index/format/previews.py says which photos need one.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from clipsearch.images.raster import Target
from clipsearch.images.thumbnails import within

if TYPE_CHECKING:
    from PIL import Image

LONGER_SIDE = 1600
# JPEG: WebP takes seven times as long to encode, for two thirds of the bytes (docs/benchmarks.md).
QUALITY = 80
CONTENT_TYPE = "image/jpeg"


def preview_name(photo_name: str, generation: int) -> str:
    """Derive the name from photo and generation, as that of a thumbnail."""
    digest = hashlib.sha256("\0".join([photo_name, str(generation), "preview"]).encode())
    return f"{digest.hexdigest()[:32]}.jpg"


def preview_target(width: int, height: int) -> Target:
    """Return the preview's size for a photo of `width` x `height` pixels."""
    from PIL import Image

    return Target(*within(width, height, LONGER_SIDE), Image.Resampling.BICUBIC, gap=1.2)


def make_preview(data: bytes) -> bytes:
    """Decode a photo and encode its preview: JPEG, upright, in sRGB, without metadata.

    Raises as decode_photo().
    """
    from clipsearch.images.decode import decode_reduced  # search needs only the names

    return encode(decode_reduced(data, preview_target))


def encode(image: Image.Image) -> bytes:
    """Encode an RGB picture as JPEG without metadata."""
    image.info = {}
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()

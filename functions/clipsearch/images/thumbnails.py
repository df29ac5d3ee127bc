"""Names and sizes of thumbnails, and their encoding."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.raster import Target

if TYPE_CHECKING:
    from PIL import Image

# The version that ingest writes. Increase it when thumbnails change, so that browsers get new ones.
THUMBNAIL = 1
LONGER_SIDE = 320
QUALITY = 80
CONTENT_TYPE = "image/webp"


def thumbnail_name(photo_name: str, generation: int, version: int) -> str:
    """Derive the name from photo, generation and version of the thumbnail (0: unknown).

    So browsers can cache a thumbnail forever, and `search` needs no look-up. The names of versions
    0 and 1 are those of releases without versions.
    """
    parts = [photo_name, str(generation)]
    if version > 1:
        parts.append(str(version))
    digest = hashlib.sha256("\0".join(parts).encode())
    return f"{digest.hexdigest()[:32]}.webp"


def thumbnail_target(width: int, height: int) -> Target:
    """Return the thumbnail's size for a photo of `width` x `height` pixels.

    The longer side has LONGER_SIDE pixels. Smaller pictures keep their size.
    """
    from PIL import Image

    scale = min(1.0, LONGER_SIDE / max(width, height))
    across, down = (max(1, round(side * scale)) for side in (width, height))
    return Target(across, down, Image.Resampling.LANCZOS, gap=2.0)


def make_thumbnail(image: Image.Image) -> bytes:
    """Encode a small RGB picture as WebP without metadata."""
    image.info = {}  # Pillow would copy EXIF (with the location), XMP and the profile
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def read_pixels(data: bytes) -> Image.Image:
    """Decode a thumbnail that make_thumbnail encoded, to RGB. Raises UnreadablePhoto."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            return image.convert("RGB")
    except (OSError, ValueError) as error:  # what Pillow raises for damaged WebP
        raise UnreadablePhoto(f"damaged thumbnail: {error}") from error

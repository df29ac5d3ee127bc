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
# 1: 320 pixels, quality 80, method 4. 2: 480 pixels, for less CPU a pixel (docs/benchmarks.md).
THUMBNAIL = 2
LONGER_SIDE = 480
QUALITY = 75
METHOD = 0  # WebP's effort. Method 2 takes 2 to 3 ms more, for a fifth fewer bytes of a photo.
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

    # Lanczos takes a quarter longer, for a picture that looks the same (SSIM 0.998).
    return Target(*within(width, height, LONGER_SIDE), Image.Resampling.BICUBIC, gap=2.0)


def within(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """The size in the same proportions whose longer side has at most `longer_side` pixels."""
    scale = min(1.0, longer_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def make_thumbnail(image: Image.Image) -> bytes:
    """Encode a small RGB picture as WebP without metadata."""
    image.info = {}  # Pillow would copy EXIF (with the location), XMP and the profile
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=METHOD)
    return out.getvalue()


def read_pixels(data: bytes) -> Image.Image:
    """Decode a thumbnail that make_thumbnail encoded, to RGB. Raises UnreadablePhoto."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            return image.convert("RGB")
    except (OSError, ValueError) as error:  # what Pillow raises for damaged WebP
        raise UnreadablePhoto(f"damaged thumbnail: {error}") from error

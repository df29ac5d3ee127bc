"""Thumbnails: what they are called and how they are made."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from clipsearch.preprocess import to_rgb

if TYPE_CHECKING:
    from PIL import Image

LONGER_SIDE = 320
QUALITY = 80
CONTENT_TYPE = "image/webp"


def thumbnail_name(photo_name: str, generation: int) -> str:
    """The name follows from photo and generation, so that a page can be cached for ever and
    `search` needs no look-up."""
    digest = hashlib.sha256(f"{photo_name}\0{generation}".encode())
    return f"{digest.hexdigest()[:32]}.webp"


def make_thumbnail(image: Image.Image) -> bytes:
    """An upright picture -> WebP in sRGB, longer side LONGER_SIDE, no metadata.

    A picture that is smaller stays as small as it is.
    """
    from PIL import Image

    profile = image.info.get("icc_profile")
    if image.mode not in ("RGB", "CMYK", "L") or "transparency" in image.info:
        image = to_rgb(image)
    small = image.copy() if max(image.size) <= LONGER_SIDE else image
    if small is image:
        scale = LONGER_SIDE / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    small = _srgb(small, profile)
    small.info = {}  # the encoder would copy EXIF (where it was taken), XMP and the profile
    out = io.BytesIO()
    small.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def _srgb(image: Image.Image, profile: object) -> Image.Image:
    """`profile` is what a file says it is: bytes, or anything in a damaged TIFF."""
    if isinstance(profile, bytes) and profile:
        from PIL import ImageCms

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):  # a broken profile, or one of another mode
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")

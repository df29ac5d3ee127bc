"""Pictures as the bytes of a file."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

Colour = str | tuple[int, ...]
Size = tuple[int, int]


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(kind: str, colour: Colour = "red", size: Size = (40, 30), **options: Any) -> bytes:
    """A picture of one colour."""
    return encoded(Image.new("RGB", size, colour), kind, **options)


def jpeg(colour: Colour = "red", size: Size = (40, 30), **options: Any) -> bytes:
    return picture("JPEG", colour, size, **{"quality": 95, **options})


def png(colour: Colour = "red", size: Size = (40, 30)) -> bytes:
    return picture("PNG", colour, size, compress_level=1)


def turning(orientation: int) -> Image.Exif:
    """EXIF with this orientation; 6 means: show it rotated by 90 degrees clockwise."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif

"""Decodes WebP, GIF and BMP with Pillow."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from clipsearch.images.buffer import Buffer
from clipsearch.images.colour import SRGB, Meaning
from clipsearch.images.exif import orientation_of
from clipsearch.images.picture import Header, Pixels
from clipsearch.images.pieces import as_file

if TYPE_CHECKING:
    from PIL import Image

# Peak bytes per pixel, measured (docs/decoding.md). WebP: libwebp's canvas, the previous canvas and
# a copy.
WEBP_MEMORY, GIF_MEMORY, BMP_MEMORY = 13, 3, 5


def read_webp(data: bytes) -> Header:
    """Read the size without Pillow, whose reader allocates the canvas at once."""
    width, height = _webp_size(data)

    return Header(width, height, width * height * WEBP_MEMORY, lambda: _load_webp(data))


def _load_webp(data: bytes) -> Pixels:
    from PIL.WebPImagePlugin import WebPImageFile

    picture = WebPImageFile(io.BytesIO(data))
    frame = picture._decoder.get_next()
    if frame is None:
        raise OSError("the first frame cannot be decoded")
    size, mode, raw = picture.size, picture.mode, picture.rawmode
    crop = Buffer(frame[0], mode, size, 4 * size[0], raw).crop
    return Pixels(
        crop, size, orientation=orientation_of(picture.info.get("exif")), meaning=_meaning(picture)
    )


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return (0, 0) if there is no size.

    https://developers.google.com/speed/webp/docs/riff_container
    """
    kind, content = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + _number(content[4:7]), 1 + _number(content[7:10])
    if kind == b"VP8L":
        bits = _number(content[1:5])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return _number(content[6:8]) & 0x3FFF, _number(content[8:10]) & 0x3FFF
    return 0, 0


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def read_gif(data: bytes) -> Header:
    from PIL.GifImagePlugin import GifImageFile

    picture = GifImageFile(as_file(data))
    memory = picture.width * picture.height * GIF_MEMORY
    return Header(picture.width, picture.height, memory, lambda: _loaded(picture))


def read_bmp(data: bytes) -> Header:
    from PIL.BmpImagePlugin import BmpImageFile

    picture = BmpImageFile(as_file(data))
    memory = picture.width * picture.height * BMP_MEMORY
    return Header(picture.width, picture.height, memory, lambda: _load_bmp(picture))


def _load_bmp(picture: Image.Image) -> Pixels:
    """Treat alpha of 0 everywhere as opaque, as viewers do: programs leave the fourth byte 0."""
    pixels = _loaded(picture)
    if picture.mode != "RGBA" or _has_alpha(picture):
        return pixels
    return replace(pixels, crop=lambda box: picture.crop(box).convert("RGB"))


def _has_alpha(picture: Image.Image) -> bool:
    rows = (picture.crop((0, y, picture.width, y + 1)) for y in range(picture.height))
    return any(row.getchannel("A").getbbox() is not None for row in rows)


def _loaded(picture: Image.Image) -> Pixels:
    picture.load()
    return Pixels(picture.crop, picture.size, meaning=_meaning(picture))


def _meaning(picture: Image.Image) -> Meaning:
    profile = picture.info.get("icc_profile")
    return Meaning(icc=profile) if profile else SRGB

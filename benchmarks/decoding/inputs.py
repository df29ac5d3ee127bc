"""The worst inputs of each format: the largest allowed ones, and small files that claim a lot."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

LARGE = 8160, 6144  # phones of "50 megapixels"


def scene(mode: str = "RGB", size: tuple[int, int] = LARGE) -> Image.Image:
    """A picture of soft shapes: quick to encode at any size."""
    shapes = Image.effect_mandelbrot((240, 180), (-2, -1.2, 1, 1.2), 60)
    bands = (shapes, shapes.rotate(120), shapes.rotate(240))
    picture = Image.merge("RGB", bands).resize(size, Image.Resampling.BILINEAR)
    if mode == "RGBA":
        picture.putalpha(shapes.resize(size))
    return picture if picture.mode == mode else picture.convert(mode)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def many_scans() -> bytes:
    """A progressive JPEG that repeats its last scan, of one kilobyte, a thousand times."""
    data = encoded(Image.new("L", (7000, 7000), 90), "JPEG", progressive=True, quality=30)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 1000 + data[-2:]


def png_of_noise_in_text() -> bytes:
    """A PNG with a thousand text chunks, each 2 MB in 4 KB."""
    text = b"Comment\0\0" + zlib.compress(bytes(2_000_000))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    data = encoded(scene(size=(640, 480)), "PNG")
    return data[:33] + chunk * 1000 + data[33:]


def tiff_with_a_huge_tile() -> bytes:
    tags = [(256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    tags += [(322, 4, 60_000), (323, 4, 30_000), (324, 4, 200), (325, 4, 20)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = struct.pack("<4sIH", b"II*\0", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + zlib.compress(bytes(200))


def _heic(**options: object) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return encoded(scene(), "HEIF", quality=30, **options)


INPUTS: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded(scene(), "JPEG", quality=90, subsampling=0),
    "JPEG, progressive": lambda: encoded(
        scene(), "JPEG", quality=90, subsampling=0, progressive=True
    ),
    "JPEG, CMYK, progressive": lambda: encoded(scene("CMYK"), "JPEG", progressive=True),
    "JPEG, 1,000 scans": many_scans,
    "PNG": lambda: encoded(scene(), "PNG", compress_level=1),
    "PNG, transparent": lambda: encoded(scene("RGBA"), "PNG", compress_level=1),
    "PNG, palette": lambda: encoded(scene("P"), "PNG", compress_level=1),
    "PNG, 2 GB of text": png_of_noise_in_text,
    "HEIC": lambda: _heic(chroma=420),
    "HEIC, 4:4:4": lambda: _heic(chroma=444),
    "AVIF, 24 MP": lambda: encoded(scene(size=(5656, 4242)), "AVIF", speed=10, quality=60),
    "AVIF, 4:4:4, 34 MP": lambda: encoded(
        scene(size=(6732, 5049)), "AVIF", speed=10, quality=60, subsampling="4:4:4"
    ),
    "WebP, 24 MP": lambda: encoded(scene(size=(5656, 4242)), "WEBP", method=0, quality=60),
    "WebP, lossless, 32 MP": lambda: encoded(
        scene(size=(6530, 4898)), "WEBP", method=0, quality=0, lossless=True
    ),
    "WebP of 40 bytes, 50 MP": lambda: encoded(
        Image.new("RGB", (7071, 7071)), "WEBP", lossless=True, method=0, quality=0
    ),
    "GIF": lambda: encoded(scene("P"), "GIF"),
    "BMP, RLE": lambda: _rle_bmp(*LARGE),
    "TIFF, deflate, one strip": lambda: encoded(
        scene(), "TIFF", compression="tiff_adobe_deflate", strip_size=1 << 30
    ),
    "TIFF, float": lambda: encoded(
        scene("F", (4000, 3000)), "TIFF", compression="tiff_adobe_deflate"
    ),
    "TIFF of 0.2 KB, a tile of 60,000 x 30,000": tiff_with_a_huge_tile,
}


def _rle_bmp(width: int, height: int) -> bytes:
    """An 8-bit RLE BMP in runs of 255 pixels."""
    row = b"".join(bytes((min(255, width - x), x >> 8)) for x in range(0, width, 255)) + b"\0\0"
    body, palette = row * height + b"\0\1", bytes(1024)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return struct.pack("<2sIII", b"BM", 1078 + len(body), 0, 1078) + info + palette + body

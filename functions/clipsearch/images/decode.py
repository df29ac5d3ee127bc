"""Bytes of a photo -> what is made of it: the square that the encoder sees, and a thumbnail.

Everything that can be wrong with a photo for ever is decided here, and said in one sentence
(UnreadablePhoto). What is wrong with the machine (no memory, a library missing) is not: it
is raised as it is, so that the caller tries again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clipsearch.errors import PhotoTooLarge, UnreadablePhoto
from clipsearch.images import avif_and_heic, colour, jpeg, png, tiff, webp_gif_bmp
from clipsearch.images.kinds import format_of
from clipsearch.images.memory import decoders_budget
from clipsearch.images.picture import Header, Pixels
from clipsearch.images.preprocess import PREPROCESSING, Square, on_white, split, to_rgb
from clipsearch.images.raster import Raster, resized
from clipsearch.images.thumbnails import thumbnail_target

if TYPE_CHECKING:
    from PIL import Image

# Grows when more photos can be read than before: failures of a lower one are tried again.
DECODER = 2

MAX_BYTES = 20_000_000
MAX_PIXELS = 8192 * 6144  # phones of "50 megapixels" make 8160 x 6144
# At the peak of one decoding, beside the file. WebP and AVIF reach it before MAX_PIXELS. HEIC may
# take more: cameras make 50 megapixels in 4:2:2 with 10 bits.
MAX_MEMORY = 400 << 20

# The shorter side of a JPEG that libjpeg scales while decoding stays at least this many times
# the encoder's: at 2 the features keep a cosine above 0.999 (tests/images/test_scaling.py).
SCALED_FACTOR = 2
# And at least this, so that a thumbnail of 480 pixels can be made of it.
SCALED_LEAST = {1: 320, 2: 480}  # by preprocessing

BRIGHTNESS_ROWS = 64


@dataclass(frozen=True, slots=True)
class Photo:
    """`square` (RGB, image_size x image_size): what the encoder sees. `thumbnail` (RGB): longer
    side thumbnails.LONGER_SIDE at most. `width` and `height`: the upright photo's, in pixels."""

    square: Image.Image
    thumbnail: Image.Image
    width: int
    height: int


def decode_photo(data: bytes, image_size: int, preprocessing: int = PREPROCESSING) -> Photo:
    """Decode a photo: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC, told apart by content.

    Waits until this process has the memory for it (memory.decoders_budget).

    Raises PhotoTooLarge (more than MAX_BYTES) and UnreadablePhoto (everything else that is
    wrong with the data, among it more than MAX_PIXELS, which is known before decoding).
    """
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge(f"{len(data):,} bytes; at most {MAX_BYTES:,} are allowed")
    kind = format_of(data)
    try:
        header = _read_header(kind, data, image_size, preprocessing)
        _check(header, kind)
        with decoders_budget().lent(header.memory):
            return _reduced(header, header.load(), image_size, preprocessing)
    except (MemoryError, UnreadablePhoto):
        raise
    except Exception as exc:  # decoders raise anything from OSError to struct.error and KeyError
        raise _reason(kind, exc) from exc


def _read_header(kind: str, data: bytes, image_size: int, preprocessing: int) -> Header:
    if kind == "JPEG":
        least = max(SCALED_FACTOR * image_size, SCALED_LEAST[preprocessing])
        return jpeg.read_header(data, least, may_cut=preprocessing > 1)
    return READERS[kind](data)


READERS = {
    "PNG": png.read_header,
    "WebP": webp_gif_bmp.read_webp,
    "GIF": webp_gif_bmp.read_gif,
    "BMP": webp_gif_bmp.read_bmp,
    "TIFF": tiff.read_header,
    "AVIF": avif_and_heic.read_avif,
    "HEIC": avif_and_heic.read_heic,
}


def _check(header: Header, kind: str) -> None:
    width, height = header.width, header.height
    if width * height > MAX_PIXELS:
        raise UnreadablePhoto(
            f"{width} x {height} is {width * height / 1e6:.1f} megapixels; "
            f"at most {MAX_PIXELS / 1e6:.1f} are allowed"
        )
    if width < 1 or height < 1:
        raise UnreadablePhoto(f"damaged or cut off {kind}: {width} x {height} pixels")
    if header.memory > MAX_MEMORY and kind != "HEIC":
        raise UnreadablePhoto(
            f"{width} x {height} pixels take {header.memory >> 20} MB to decode from {kind}; "
            f"at most {MAX_MEMORY >> 20} MB are allowed: make it smaller, or a JPEG"
        )


def _reason(kind: str, exc: Exception) -> Exception:
    from PIL import Image

    if isinstance(exc, Image.DecompressionBombError):  # a header of more than 179 megapixels
        return UnreadablePhoto(f"more than {MAX_PIXELS / 1e6:.1f} megapixels: {exc}")
    if "out of memory" in str(exc):  # Pillow's OSError for it: this machine's fault
        return MemoryError(str(exc))
    return UnreadablePhoto(f"damaged or cut off {kind}{_said(exc)}")


def _said(exc: Exception) -> str:
    """What a decoder said, if it is a sentence: not what Python says of a number or an index."""
    text = " ".join(str(exc).split())  # libheif ends its lines
    is_sentence = isinstance(exc, (OSError, SyntaxError, ValueError, EOFError, RuntimeError))
    is_plain = text.isprintable() and not re.search(
        r"b'|unpack|<\w|0x|\bNone\b|codec can't|index|driver|error -", text
    )
    return f": {text}" if text and is_sentence and is_plain else ""


def _reduced(header: Header, pixels: Pixels, image_size: int, preprocessing: int) -> Photo:
    # Decoders may find another size than the header's; where they scale, only the header knows.
    width, height = pixels.size if pixels.scale == 1 else (header.width, header.height)
    covered = width / pixels.scale, height / pixels.scale
    shown = Raster(pixels.crop, _finish(pixels), pixels.size, covered, pixels.orientation)
    if pixels.orientation > 4:
        width, height = height, width
    square, small = Square(width, height, image_size), thumbnail_target(width, height)
    seen = shown if preprocessing > 1 else replace(shown, finish=to_rgb)
    if square.is_cropped_first:
        [thumbnail] = resized(shown, [small])
        return Photo(square.cropped(seen), thumbnail, width, height)
    if seen is shown:
        resized_square, thumbnail = resized(shown, [square.target, small])
    else:
        [resized_square], [thumbnail] = resized(seen, [square.target]), resized(shown, [small])
    return Photo(resized_square.crop(square.crop), thumbnail, width, height)


def _finish(pixels: Pixels) -> Callable[[Image.Image], Image.Image]:
    """A strip as it is stored -> RGB as it is shown."""
    width, height = pixels.size

    def row(y: int) -> Image.Image:
        return split(pixels.crop((0, y, width, y + 1)))[0]

    def sample() -> Iterator[Image.Image]:
        return (row(y) for y in range(0, height, -(-height // BRIGHTNESS_ROWS)))

    convert = colour.conversion(row(0).mode, pixels.meaning, sample)

    def finish(strip: Image.Image) -> Image.Image:
        opaque, alpha = split(strip)
        return on_white(convert(opaque), alpha)

    return finish

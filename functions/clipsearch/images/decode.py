"""Decodes a photo to the square for the encoder and a thumbnail, and apart from that to a preview.

Permanent faults of a photo become UnreadablePhoto, with the reason in one sentence. Faults of the
machine (no memory, a missing library) pass through unchanged, so that the caller retries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from clipsearch.errors import PhotoTooLarge, UnreadablePhoto
from clipsearch.images import avif_and_heic, colour, jpeg, png, tiff, webp_gif_bmp
from clipsearch.images.kinds import format_of
from clipsearch.images.limits import MAX_BYTES as MAX_BYTES
from clipsearch.images.limits import MAX_PIXELS as MAX_PIXELS
from clipsearch.images.memory import decoders_budget
from clipsearch.images.picture import Header, Pixels
from clipsearch.images.preprocess import (
    PREPROCESSING,
    Fit,
    Resample,
    Resize,
    Square,
    on_white,
    split,
    to_rgb,
)
from clipsearch.images.raster import Raster, Target, resized, resizing_memory
from clipsearch.images.reasons import reason_of
from clipsearch.images.thumbnails import thumbnail_target

if TYPE_CHECKING:
    from PIL import Image

# Increase this when more photos can be read: failures of a lower number are retried.
DECODER = 2

# Peak bytes of one decode, without the file. WebP and AVIF reach it before MAX_PIXELS. HEIC may use
# more, because cameras take 50 megapixels in 4:2:2 with 10 bits.
MAX_MEMORY = 400 << 20

# libjpeg may scale a JPEG down to this many times the encoder's size (shorter side). At 2 the
# cosine with the unscaled features stays above 0.999 (tests/images/test_scaling.py).
SCALED_FACTOR = 2
# Pixels, by preprocessing: also a lower limit, so that a thumbnail of 480 pixels is possible.
SCALED_LEAST = {1: 320, 2: 480}

BRIGHTNESS_ROWS = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Photo:
    """`square`: RGB, image_size x image_size, the encoder's input.

    `thumbnail`: RGB, longer side at most thumbnails.LONGER_SIDE. `width`, `height`: pixels of the
    photo after EXIF orientation.
    """

    square: Image.Image
    thumbnail: Image.Image
    width: int
    height: int


def decode_photo(
    data: bytes,
    image_size: int,
    preprocessing: int = PREPROCESSING,
    resize: Resize = "crop",
    resample: Resample = "bicubic",
) -> Photo:
    """Decode a JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC, detected by content.

    Waits until this process has enough memory (memory.decoders_budget).

    Raises PhotoTooLarge for more than MAX_BYTES, and UnreadablePhoto for all other faults of the
    data. Pictures of more than MAX_PIXELS are rejected before decoding.
    """
    fit = Fit(image_size, resize, resample)
    return _decode_to(_photo, data, fit, preprocessing)


def decode_square(
    data: bytes,
    image_size: int,
    preprocessing: int = PREPROCESSING,
    resize: Resize = "crop",
    resample: Resample = "bicubic",
) -> Image.Image:
    """Decode to the same `square` as decode_photo(), and raise the same, without a thumbnail.

    The thumbnail takes half the time of a small photo, and a search needs none.
    """
    fit = Fit(image_size, resize, resample)
    return _decode_to(_square, data, fit, preprocessing)


def _decode_to(
    make: Callable[[Header, Fit, int], T], data: bytes, fit: Fit, preprocessing: int
) -> T:
    return _decode(
        data,
        lambda kind: _read_header(kind, data, fit.size, preprocessing),
        lambda header: header.memory,
        lambda header: make(header, fit, preprocessing),
    )


def decode_reduced(data: bytes, target_of: Callable[[int, int], Target]) -> Image.Image:
    """Decode a photo to one RGB picture; waits and raises as decode_photo().

    `target_of(width, height)`: the size for a photo of that size. A JPEG is scaled in decoding only
    as far as this size allows, whatever the encoder needs.
    """

    def target(header: Header) -> Target:
        return target_of(header.width, header.height)

    def read(kind: str) -> Header:
        if kind != "JPEG":
            return READERS[kind](data)
        size = target(jpeg.read_header(data, 1, may_cut=True))
        return jpeg.read_header(data, min(size.width, size.height), may_cut=True)

    def memory(header: Header) -> int:
        return header.memory + resizing_memory(header.width, header.height, target(header))

    def reduce(header: Header) -> Image.Image:
        shown, width, height = _shown(header, header.load())
        [image] = resized(shown, [target_of(width, height)])
        return image

    return _decode(data, read, memory, reduce)


def _decode(
    data: bytes,
    read: Callable[[str], Header],
    memory: Callable[[Header], int],
    reduce: Callable[[Header], T],
) -> T:
    """`read(format)` reads the header; `reduce` decodes, within `memory` bytes."""
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge(f"{len(data):,} bytes; at most {MAX_BYTES:,} are allowed")
    kind = format_of(data)
    try:
        header = read(kind)
        _check(header, kind)
        with decoders_budget().lent(memory(header)):
            return reduce(header)
    except (MemoryError, UnreadablePhoto):
        raise
    except Exception as exc:  # decoders raise anything from OSError to struct.error and KeyError
        raise reason_of(kind, exc) from exc


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
            f"at most {MAX_MEMORY >> 20} MB are allowed; make it smaller or convert it to JPEG"
        )


def _shown(header: Header, pixels: Pixels) -> tuple[Raster, int, int]:
    """The picture as people see it, with the width and height of the photo."""
    # The decoder's size may differ from the header's. If it scales, only the header has the size.
    width, height = pixels.size if pixels.scale == 1 else (header.width, header.height)
    covered = width / pixels.scale, height / pixels.scale
    shown = Raster(pixels.crop, _finish(pixels), pixels.size, covered, pixels.orientation)
    if pixels.orientation > 4:
        width, height = height, width
    return shown, width, height


def _photo(header: Header, fit: Fit, preprocessing: int) -> Photo:
    shown, width, height = _shown(header, header.load())
    square, small = Square(width, height, fit), thumbnail_target(width, height)
    seen = _seen(shown, preprocessing)
    if square.is_cropped_first:
        [thumbnail] = resized(shown, [small])
        return Photo(square.cropped(seen), thumbnail, width, height)
    if seen is shown:
        for_encoder, thumbnail = resized(shown, [square.target, small])
    else:
        [for_encoder], [thumbnail] = resized(seen, [square.target]), resized(shown, [small])
    return Photo(for_encoder, thumbnail, width, height)


def _square(header: Header, fit: Fit, preprocessing: int) -> Image.Image:
    shown, width, height = _shown(header, header.load())
    square, seen = Square(width, height, fit), _seen(shown, preprocessing)
    if square.is_cropped_first:
        return square.cropped(seen)
    [for_encoder] = resized(seen, [square.target])
    return for_encoder


def _seen(shown: Raster, preprocessing: int) -> Raster:
    """The picture as the encoder sees it."""
    return shown if preprocessing > 1 else replace(shown, finish=to_rgb)


def _finish(pixels: Pixels) -> Callable[[Image.Image], Image.Image]:
    """Return the conversion of a stored strip to RGB as displayed."""
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

"""Bytes of a photo -> the picture a viewer shows: upright, first frame, at most 8 bits a channel.

Everything that can be wrong with a photo for ever is decided here, and said in one sentence
(UnreadablePhoto). What is wrong with the machine (no memory, a library missing) is not: it
is raised as it is, so that the caller tries again.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipsearch.errors import PhotoTooLarge, UnreadablePhoto
from clipsearch.preprocess import DECODED_SIZE, to_rgb

if TYPE_CHECKING:
    from PIL import Image, ImageFile

MAX_BYTES = 20_000_000
MAX_PIXELS = 50_000_000

# The shorter side of a JPEG that libjpeg scales while decoding stays at least this many times
# the size asked for: at 2 the features keep a cosine above 0.999 (tests/encoder/test_draft.py).
# Another value means another PREPROCESSING.
DRAFT_FACTOR = 2

# Format -> module and class of its decoder. The classes are used directly, not through
# Image.open: that applies Pillow's own process-wide pixel limit and tries forty formats.
DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIC": ("pillow_heif", "HeifImageFile"),
}

SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)
AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded photo. `width` and `height` are those of the whole upright photo, in pixels;
    `image` (RGB, L or CMYK, opaque) may be smaller when `for_size` was given."""

    image: Image.Image
    width: int
    height: int


def decode_photo(data: bytes, for_size: int | None = None) -> Decoded:
    """Decode a photo: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC, told apart by content.

    With `for_size` a JPEG may come out smaller, its shorter side never below
    DRAFT_FACTOR * for_size: decoding a large photo is then several times faster.

    Raises PhotoTooLarge (more than MAX_BYTES) and UnreadablePhoto (everything else that is
    wrong with the data, among it more than MAX_PIXELS, which is known before decoding).
    """
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge(f"{len(data):,} bytes; at most {MAX_BYTES:,} are allowed")
    kind = format_of(data)
    module, name = DECODERS[kind]
    opener = getattr(importlib.import_module(module), name)
    try:
        picture: ImageFile.ImageFile = opener(io.BytesIO(data))
        _check_pixels(picture.width, picture.height)
        full = picture.size
        if kind == "JPEG" and for_size:
            _draft(picture, DRAFT_FACTOR * for_size)
        drafted = picture.size
        picture.load()
        upright = _plain(eight_bits(_upright(picture, kind)))
    except (MemoryError, UnreadablePhoto):
        raise
    except Exception as exc:  # decoders raise anything from OSError to struct.error and KeyError
        raise _reason(kind, exc) from exc
    if drafted == full:
        return Decoded(upright, *upright.size)
    width, height = full if upright.size == drafted else full[::-1]  # turned by a quarter
    return Decoded(upright, width, height)


def decode_for_encoder(data: bytes, image_size: int) -> Decoded:
    """As `ingest` and `search` both decode: large enough for an encoder of `image_size` and for
    a thumbnail, and alike, so that a photo finds itself with a cosine of 1."""
    return decode_photo(data, for_size=max(image_size, DECODED_SIZE))


def format_of(data: bytes) -> str:
    """By the first 256 bytes, which tell; one of DECODERS. UnreadablePhoto for anything else."""
    for signature, kind in SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":  # ISO media file: length, "ftyp", brand, version, compatible brands
        end = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[i : i + 4] for i in range(16, end, 4))}
        if brands & AVIF_BRANDS:
            return "AVIF"
        if brands & HEIC_BRANDS:
            return "HEIC"
    if not data:
        raise UnreadablePhoto("the file is empty")
    raise UnreadablePhoto(
        f"not a picture of a supported format ({', '.join(DECODERS)}): it begins with {data[:12]!r}"
    )


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadablePhoto(
            f"{width} x {height} is {width * height / 1e6:.1f} megapixels; "
            f"at most {MAX_PIXELS // 1_000_000} are allowed"
        )
    if width < 1 or height < 1:
        raise UnreadablePhoto(f"a picture of {width} x {height} pixels")


def _draft(picture: ImageFile.ImageFile, least: int) -> None:
    """Let libjpeg scale by 8, 4 or 2, if the shorter side stays `least` pixels or more.

    Only where it divides both sides, as it does for cameras' pictures: elsewhere the last
    pixels stand for less than the others, and that small stretch changes the features more
    than the scaling does (a cosine of 0.992 was measured).
    """
    for scale in (8, 4, 2):
        width, height = picture.width // scale, picture.height // scale
        if (width * scale, height * scale) == picture.size and min(width, height) >= least:
            picture.draft(None, (width, height))
            return


def _reason(kind: str, exc: Exception) -> Exception:
    from PIL import Image

    if isinstance(exc, Image.DecompressionBombError):  # a header of more than 179 megapixels
        return UnreadablePhoto(f"more than {MAX_PIXELS // 1_000_000} megapixels: {exc}")
    if "out of memory" in str(exc):  # Pillow's OSError for it: this machine's fault
        return MemoryError(str(exc))
    text = " ".join(str(exc).split()) or type(exc).__name__  # libheif ends its lines
    return UnreadablePhoto(f"damaged or cut off {kind}: {text}")


def _upright(picture: Image.Image, kind: str) -> Image.Image:
    from PIL import Image

    if kind in ("TIFF", "HEIC"):  # turned while decoding; the tag may still be there
        return picture
    try:
        orientation = picture.getexif().get(0x0112, 1)  # EXIF 2.3, tag 274: Orientation
    except Exception:  # broken EXIF: viewers show the picture as it is stored
        return picture
    turn = Image.Transpose
    method = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }.get(orientation)
    return picture if method is None else picture.transpose(method)


def _plain(picture: Image.Image) -> Image.Image:
    """RGB, grey or CMYK, opaque: here, because a damaged palette or transparency fails only
    when it is applied."""
    if picture.mode in ("RGB", "L", "CMYK") and picture.info.get("transparency") is None:
        return picture
    plain = to_rgb(picture)
    plain.info["icc_profile"] = picture.info.get("icc_profile")
    return plain


def eight_bits(picture: Image.Image) -> Image.Image:
    """Pillow's own conversion of 16 bits clips at 255, which makes a photo white: here 16-bit
    grey keeps its high byte, 32-bit and float grey are spread from their least to their
    greatest value."""
    if picture.mode in ("RGBa", "La"):
        return picture.convert(picture.mode.upper())
    if picture.mode == "LAB":
        raise UnreadablePhoto("the colour mode LAB is not supported")
    if picture.mode[0] not in "IF":
        return picture
    import numpy as np
    from PIL import Image

    values: Any = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        grey = values >> 8
    else:
        values = np.nan_to_num(values.astype(np.float64))
        low, high = values.min(), values.max()
        grey = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    return Image.fromarray(grey.astype(np.uint8))

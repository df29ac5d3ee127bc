"""Bytes to pictures: every format, everything that can be wrong with a file."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from clipsearch.errors import PhotoTooLarge, UnreadablePhoto
from clipsearch.images import decode
from clipsearch.images.decode import MAX_BYTES, MAX_PIXELS, decode_photo
from clipsearch.images.thumbnails import make_thumbnail
from model_export.samples import texture
from tests.support import pictures

pillow_heif.register_heif_opener()  # for writing; decoding must work without

# Pillow's name, how to write it (almost) without loss
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 98, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
    "AVIF": {"quality": 95},
    "HEIF": {"quality": 95},
}
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # how a picture of this orientation is stored


def corners() -> Image.Image:
    """Four colours by which every orientation can be told."""
    image = Image.new("RGB", (90, 60), "white")
    image.paste("red", (0, 0, 45, 30))
    image.paste("green", (45, 0, 90, 30))
    image.paste("blue", (0, 30, 45, 60))
    return image


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    return pictures.encoded(image, kind, **{**FORMATS.get(kind, {}), **options})


def difference(image: Image.Image, other: Image.Image) -> float:
    assert image.size == other.size
    pixels = np.asarray(image.convert("RGB")).astype(int)
    return float(np.abs(pixels - np.asarray(other.convert("RGB"))).mean())


def reason(data: bytes) -> str:
    with pytest.raises(UnreadablePhoto) as caught:
        decode_photo(data, 24)
    return caught.value.reason


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_decoded(kind):
    decoded = decode_photo(encoded(corners(), kind), 24)
    assert (decoded.width, decoded.height) == (90, 60)
    assert difference(decoded.thumbnail, corners()) < 3


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_photo_is_upright_whatever_its_exif_orientation(kind, orientation):
    turn = TURNS[orientation]
    stored = corners() if turn is None else corners().transpose(turn)
    exif = pictures.turning(orientation).tobytes()
    decoded = decode_photo(encoded(stored, kind, exif=exif), 24)
    assert (decoded.width, decoded.height) == (90, 60)
    assert difference(decoded.thumbnail, corners()) < 3


def test_the_exif_orientation_of_heic_is_not_applied_twice():
    """In HEIC the container turns the picture and EXIF repeats it for information only (ISO
    23008-12, A.3.2): with EXIF alone the picture stays as it is stored."""
    data = encoded(corners(), "HEIF", exif=pictures.turning(6))
    assert b"irot" not in data
    assert difference(decode_photo(data, 24).thumbnail, corners()) < 3


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_leaves_the_picture_as_it_is_stored():
    data = encoded(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert difference(decode_photo(data, 24).thumbnail, corners()) < 3


def test_the_first_frame_of_an_animation_counts():
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert decode_photo(data, 24).thumbnail.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_high_byte(kind):
    levels = np.array([[0, 255, 256, 0x7FFF, 0xFF00, 0xFFFF]], np.uint16)
    decoded = decode_photo(encoded(Image.fromarray(levels), kind), 24).thumbnail
    np.testing.assert_array_equal(np.asarray(decoded)[:, :, 0], levels >> 8)


def test_float_and_32_bit_grey_is_spread_over_the_range():
    for dtype in (np.float32, np.int32):
        values = np.array([[-1000, 0, 1000, 3000]], dtype)
        decoded = decode_photo(encoded(Image.fromarray(values), "TIFF"), 24).thumbnail
        np.testing.assert_array_equal(np.asarray(decoded)[:, :, 0], [[0, 63, 127, 255]])


def test_cmyk_from_a_jpeg_is_not_inverted():
    decoded = decode_photo(encoded(corners().convert("CMYK"), "JPEG"), 24).thumbnail
    assert difference(decoded, corners()) < 3


# --- what is wrong with a file ------------------------------------------------------------


def test_an_empty_file_says_so():
    assert reason(b"") == "the file is empty"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"Dear diary, today", "text"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"P6 2 1 255\n\0\0\0\xff\xff\xff", "its format is unknown"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a video (MP4)"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video (QuickTime)"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "camera raw (Canon)"),
        (b"\0\0\1\0\1\0\x10\x10", "an icon"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0", "zeros"),
    ],
)
def test_other_files_are_refused_for_what_they_are(data, what):
    text = reason(data)
    assert "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC" in text
    assert what in text
    assert "b'" not in text


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_photo_that_was_cut_off_is_refused(kind, share):
    data = encoded(texture(np.random.default_rng(0), 200, 150), kind)
    text = reason(data[: int(len(data) * share)])
    name = {"WEBP": "WebP", "HEIF": "HEIC"}.get(kind, kind)
    assert text.startswith(f"damaged or cut off {name}")
    assert "\n" not in text


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it can pass over
@pytest.mark.parametrize("kind", FORMATS)
def test_damage_gives_a_picture_or_a_reason_and_nothing_else(kind):
    data = encoded(texture(np.random.default_rng(0), 64, 48), kind)
    random = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(data)
        for position in random.integers(0, len(data), 4):
            damaged[position] = random.integers(256)
        with contextlib.suppress(UnreadablePhoto):
            make_thumbnail(decode_photo(bytes(damaged), 24).thumbnail)


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", zlib.crc32(b"IHDR" + header))


def bombs() -> dict[str, bytes]:
    """Small files whose headers say 8,000 x 8,000 pixels: just within Pillow's own limits."""
    small = Image.new("RGB", (8, 8))
    jpeg = bytearray(encoded(small, "JPEG"))
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg[frame : frame + 4] = struct.pack(">HH", 8000, 8000)
    bmp = bytearray(encoded(small, "BMP"))
    bmp[18:26] = struct.pack("<ii", 8000, 8000)
    gif = bytearray(encoded(small, "GIF"))
    gif[6:10] = struct.pack("<HH", 8000, 8000)
    tiff = encoded(Image.new("1", (8000, 8000)), "TIFF", compression="group4")
    png = png_header(8000, 8000) + struct.pack(">I", 0) + b"IDAT" + b"\x35\xaf\x06\x1e"
    return {"JPEG": bytes(jpeg), "BMP": bytes(bmp), "GIF": bytes(gif), "TIFF": tiff} | {"PNG": png}


@pytest.mark.parametrize("kind", bombs())
def test_more_than_50_megapixels_are_refused_before_decoding(kind):
    assert reason(bombs()[kind]) == "8000 x 8000 is 64.0 megapixels; at most 50.3 are allowed"


def test_far_more_pixels_are_refused_too_and_without_a_warning():
    """Pillow itself warns above 89 megapixels and raises above 179; here, warnings are errors."""
    assert "megapixels" in reason(png_header(10_000, 10_000) + b"\0\0\0\0IDAT")
    assert "megapixels" in reason(png_header(60_000, 60_000) + b"\0\0\0\0IDAT")
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\0" * 2
    assert "megapixels" in reason(b"RIFF" + struct.pack("<I", 4 + len(canvas)) + b"WEBP" + canvas)


def test_the_largest_photos_of_phones_are_read():
    assert MAX_PIXELS == 8192 * 6144
    assert decode_photo(encoded(Image.new("1", (8192, 6144)), "PNG"), 24).width == 8192


def test_more_than_20_megabytes_are_refused_without_a_look():
    with pytest.raises(PhotoTooLarge, match=r"20,000,001 bytes; at most 20,000,000 are allowed"):
        decode_photo(bytes(MAX_BYTES + 1), 24)
    assert "zeros" in reason(bytes(MAX_BYTES))


def test_lack_of_memory_is_not_the_photos_fault(monkeypatch):
    data = encoded(corners(), "PNG")

    class Hungry:
        def __init__(self, _):
            pass

        def load(self):
            raise OSError("out of memory when reading image file")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile", Hungry)
    with pytest.raises(MemoryError):
        decode_photo(data, 24)


def test_decoding_leaves_no_trace_in_pillow(tmp_path):
    """No opener registered, no limit changed: in a process of its own, from eight threads."""
    code = """
import sys, threading
from pathlib import Path
from clipsearch.images.decode import decode_photo
data = Path(sys.argv[1]).read_bytes()
sizes = []
threads = [
    threading.Thread(target=lambda: sizes.append(decode_photo(data, 24).thumbnail.size))
    for _ in range(8)
]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
from PIL import Image, ImageFile
assert sizes == [(90, 60)] * 8, sizes
assert Image.MAX_IMAGE_PIXELS == 89478485
assert not ImageFile.LOAD_TRUNCATED_IMAGES
assert "HEIF" not in Image.OPEN
"""
    file = tmp_path / "photo.heic"
    file.write_bytes(encoded(corners(), "HEIF"))
    functions = Path(decode.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(file)], cwd=functions, check=True)

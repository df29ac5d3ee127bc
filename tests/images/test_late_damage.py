"""Damage that shows only after decoding is the photo's fault, too: a failure, never a retry."""

import struct
import zlib

import pytest
from PIL import Image, TiffImagePlugin

from clipsearch.images.decode import decode_photo
from clipsearch.images.thumbnails import make_thumbnail
from tests.support.pictures import encoded, picture

ICC_PROFILE_TAG = 34675
ASCII = 2


def png_with_too_much_transparency() -> bytes:
    data = encoded(Image.new("P", (40, 30), 3))
    chunk = b"tRNS" + bytes(300)
    at = data.index(b"IDAT") - 4
    framed = struct.pack(">I", 300) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:at] + framed + data[at:]


def tiff_with_a_text_for_a_profile() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[ICC_PROFILE_TAG] = ASCII
    tags[ICC_PROFILE_TAG] = "no profile"
    return picture("TIFF", tiffinfo=tags)


def test_a_transparency_longer_than_a_palette_is_passed_over() -> None:
    assert decode_photo(png_with_too_much_transparency(), 24).width == 40


def test_a_text_in_place_of_a_colour_profile_does_not_matter() -> None:
    image = decode_photo(tiff_with_a_text_for_a_profile(), 24).thumbnail
    assert image.getpixel((20, 15)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_nothing_is_left_to_convert_that_could_fail(mode: str) -> None:
    photo = decode_photo(encoded(Image.new(mode, (8, 8)), "TIFF"), 8)
    assert photo.square.mode == photo.thumbnail.mode == "RGB"
    assert photo.square.size == (8, 8)
    make_thumbnail(photo.thumbnail)

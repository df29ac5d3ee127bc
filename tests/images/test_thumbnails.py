"""Thumbnails: small, upright, in sRGB, and without what the photo says of its owner."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image, ImageCms

from clipsearch.images.decode import decode_photo
from clipsearch.images.thumbnails import make_thumbnail, thumbnail_name
from model_export.samples import pictures, texture
from tests.support.pictures import encoded, turning


def thumbnail_of(data: bytes) -> Image.Image:
    return opened(make_thumbnail(decode_photo(data, 24).thumbnail))


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1200, 900), (480, 360)),
        ((900, 1200), (360, 480)),
        ((481, 481), (480, 480)),
        ((200, 100), (200, 100)),
        ((20_000, 1), (480, 1)),
    ],
)
def test_the_longer_side_is_at_most_480_pixels(size, small):
    thumbnail = thumbnail_of(encoded(Image.new("RGB", size, "red"), "PNG"))
    assert thumbnail.size == small
    assert thumbnail.format == "WEBP"


@pytest.mark.parametrize("sample", pictures(), ids=lambda sample: sample.name)
def test_every_mode_has_one(sample):
    kind = "TIFF" if sample.image.mode in ("CMYK", "F", "I") else "PNG"
    thumbnail = thumbnail_of(encoded(sample.image, kind))
    assert thumbnail.mode == "RGB"
    assert thumbnail.size == sample.image.size or max(thumbnail.size) == 480


def test_it_holds_no_metadata():
    image, exif = texture(np.random.default_rng(0), 640, 480), turning(6)
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"  # where it was taken
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    facts = {"exif": exif, "icc_profile": profile, "xmp": b"<xmp/>", "comment": b"mine"}
    data = make_thumbnail(decode_photo(encoded(image, "JPEG", **facts), 24).thumbnail)
    thumbnail = opened(data)
    assert thumbnail.size == (360, 480)  # upright
    assert not {"exif", "icc_profile", "xmp", "comment"} & set(thumbnail.info)
    assert not dict(thumbnail.getexif())
    assert b"camera" not in data


def test_a_name_follows_from_photo_and_generation_and_says_nothing_of_them():
    photos = ("a", 1), ("a", 2), ("a1", 1), ("b", 1)
    names = {thumbnail_name(*photo, version) for photo in photos for version in (1, 2, 3)}
    assert len(names) == 12
    assert all(re.fullmatch(r"[0-9a-f]{32}\.webp", name) for name in names)
    # the page and the index rely on them: they may never change
    for version in (0, 1):
        assert thumbnail_name("größe/ça.jpg", 1, version) == "876e439a43e9ceb137163d1791d79127.webp"
    assert thumbnail_name("größe/ça.jpg", 1, 2) == "bdfbb89e317ebfe081455ffdc8b4c039.webp"

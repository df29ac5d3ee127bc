"""Previews: upright, in sRGB, without metadata, and apart from the encoder's picture."""

from __future__ import annotations

import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageStat
from PIL.JpegImagePlugin import JpegImageFile

from clipsearch.errors import UnreadablePhoto
from clipsearch.images import memory, previews, thumbnails
from clipsearch.images.decode import decode_photo, decode_reduced
from clipsearch.images.previews import make_preview, preview_name, preview_target
from clipsearch.index.format.previews import THUMBNAIL_PIXELS
from model_export.samples import texture
from tests.images.profiles import swapped_profile
from tests.support.pictures import encoded, turning

pillow_heif.register_heif_opener()  # for writing


def preview_of(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(make_preview(data)))
    image.load()
    return image


@pytest.mark.parametrize(
    ("size", "small"),
    [((2600, 1950), (1600, 1200)), ((900, 1700), (847, 1600)), ((640, 480), (640, 480))],
)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "HEIF"])
def test_the_longer_side_is_at_most_1600_pixels(kind, size, small):
    found = preview_of(encoded(Image.new("RGB", size, "teal"), kind))
    assert (found.format, found.size) == ("JPEG", small)


def test_it_shows_the_photo_as_its_thumbnail_does():
    image = texture(np.random.default_rng(1), 3600, 2400)
    data = encoded(image, "JPEG", quality=95, exif=turning(6))
    small = preview_of(data).resize((320, 480), Image.Resampling.BOX)
    thumbnail = decode_photo(data, 24).thumbnail
    assert thumbnail.size == small.size
    difference = np.abs(np.asarray(small).astype(int) - np.asarray(thumbnail))
    assert difference.mean() < 3


def test_colours_are_converted():
    image = Image.new("RGB", (700, 500), (200, 30, 90))
    data = encoded(image, "TIFF", icc_profile=swapped_profile())
    expected = ImageStat.Stat(decode_photo(data, 24).thumbnail).mean
    assert ImageStat.Stat(preview_of(data)).mean == pytest.approx(expected, abs=3)
    assert expected[0] < 100 < expected[2]


def test_it_holds_no_metadata():
    image, exif = texture(np.random.default_rng(0), 1800, 900), turning(6)
    exif[0x010F] = "A camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    facts = {"exif": exif, "icc_profile": profile, "xmp": b"<xmp/>", "comment": b"mine"}
    data = make_preview(encoded(image, "JPEG", **facts))
    preview = Image.open(io.BytesIO(data))
    assert preview.size == (800, 1600)
    assert not {"exif", "icc_profile", "xmp", "comment"} & set(preview.info)
    assert b"camera" not in data


def test_a_jpeg_is_scaled_in_decoding_no_further_than_its_preview_needs(monkeypatch):
    drafts = []
    real = JpegImageFile.draft

    def draft(image, mode, size):
        drafts.append(size)
        return real(image, mode, size)

    monkeypatch.setattr(JpegImageFile, "draft", draft)
    data = encoded(Image.new("RGB", (4000, 3000)), "JPEG")
    encoder = decode_photo(data, 224).square.tobytes()
    preview_of(data)
    assert decode_photo(data, 224).square.tobytes() == encoder
    assert drafts == [(1000, 750), (2000, 1500), (1000, 750)]


def test_its_memory_is_borrowed(monkeypatch):
    lent = []
    budget = memory.Budget(1 << 30)
    real = budget.lent
    monkeypatch.setattr(budget, "lent", lambda amount: lent.append(amount) or real(amount))
    monkeypatch.setattr("clipsearch.images.decode.decoders_budget", lambda: budget)
    data = encoded(Image.new("RGB", (4000, 1600)), "TIFF")
    decode_photo(data, 24)
    decode_reduced(data, preview_target)
    assert lent[1] >= lent[0] + 4 * 2000 * 800  # averaged to half the size first


def test_damage_is_reported_as_for_thumbnails():
    data = encoded(Image.new("RGB", (700, 500), "red"), "TIFF", compression="tiff_lzw")
    with pytest.raises(UnreadablePhoto, match="damaged or cut off TIFF"):
        make_preview(data[: len(data) // 2])


def test_a_name_follows_from_photo_and_generation():
    photos = ("a", 1), ("a", 2), ("a1", 1), ("b", 1)
    names = {preview_name(*photo) for photo in photos}
    assert len(names) == 4
    assert not names & {thumbnails.thumbnail_name(*photo, v) for photo in photos for v in (1, 2)}
    # they may never change
    assert preview_name("größe/ça.jpg", 1) == "e7b22bfee42a3a1213ab8b8adcb3703f.jpg"


def test_a_thumbnail_shows_all_of_a_photo_that_needs_no_preview():
    assert THUMBNAIL_PIXELS == thumbnails.LONGER_SIDE < previews.LONGER_SIDE

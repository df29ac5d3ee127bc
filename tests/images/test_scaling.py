"""Letting libjpeg scale while it decodes must not change what the encoder sees."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from clipsearch.images import decode, jpeg
from clipsearch.images.decode import decode_photo
from clipsearch.model.encoder import Encoder
from model_export import ROOT
from model_export.demo.scenes import draw, random_scene
from model_export.samples import photo, texture
from tests.support.pictures import encoded, turning

SIZE = 64  # of the encoder, in pixels
SHAPES = [(1600, 1200), (1201, 1107), (1803, 2406)]


def scale_of(data: bytes, image_size: int = SIZE, preprocessing: int = 2) -> int:
    return decode._read_header("JPEG", data, image_size, preprocessing).load().scale


@pytest.fixture
def unscaled(monkeypatch):
    """A way to decode without scaling."""

    def decoded(data: bytes, image_size: int) -> decode.Photo:
        with monkeypatch.context() as patch:
            patch.setattr(jpeg, "_scale", lambda *_: 1)
            return decode_photo(data, image_size)

    return decoded


def cosine(encoder: Encoder, one: Image.Image, other: Image.Image) -> float:
    first, second = encoder.encode_image([one, other])
    return float(first @ second)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_vector_of_a_scaled_photo_is_that_of_the_whole(encoder, unscaled, shape):
    data = photo(np.random.default_rng(0), *shape)
    assert scale_of(data, encoder.image_size) > 1
    whole = unscaled(data, encoder.image_size)
    scaled = decode_photo(data, encoder.image_size)
    assert (scaled.width, scaled.height) == (whole.width, whole.height) == shape
    assert cosine(encoder, scaled.square, whole.square) > 0.999


def test_the_demo_model_sees_no_difference_either(unscaled):
    demo = Encoder.from_folder(ROOT / "model_export/demo/bundle")
    rng = np.random.default_rng(7)
    for size in range(1200, 1209):  # whether 8 divides it or not
        drawn = draw(random_scene(rng), size, rng).crop((0, 101, size, 1000))
        data = encoded(drawn, "JPEG", quality=90)
        whole = unscaled(data, demo.image_size)
        assert cosine(demo, demo.decode(data).square, whole.square) > 0.999


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_edges_of_a_turned_scaled_photo_are_where_they_belong(unscaled, orientation):
    """Where 8 does not divide a side, the last pixel of a row stands for less than the others:
    taken for a whole one, it would stretch the picture."""
    image = texture(np.random.default_rng(1), 1209, 971)
    data = encoded(image, "JPEG", quality=95, exif=turning(orientation))
    assert scale_of(data) == 2
    scaled = decode_photo(data, SIZE)
    whole = unscaled(data, SIZE)
    for name in ("square", "thumbnail"):
        seen, wanted = (np.asarray(getattr(p, name)).astype(int) for p in (scaled, whole))
        assert np.abs(seen - wanted).mean() < 1.5, name


@pytest.mark.parametrize(
    ("shape", "image_size", "scale"),
    [
        ((8160, 6144), 224, 8),
        ((4032, 3024), 224, 4),
        ((4032, 3024), 336, 4),
        ((1600, 1200), 224, 2),
        ((1000, 900), 224, 1),
        ((19_000, 640), 224, 2),  # 12.2 megapixels: for the memory
    ],
)
def test_large_photos_are_scaled_as_far_as_the_encoder_and_thumbnails_allow(
    shape, image_size, scale
):
    assert scale_of(encoded(Image.new("L", shape), "JPEG"), image_size) == scale


def test_preprocessing_1_scales_where_that_divides_the_sides_and_takes_colours_as_they_are():
    data = photo(np.random.default_rng(0), 1209, 971)
    assert scale_of(data, preprocessing=1) == 1
    assert scale_of(photo(np.random.default_rng(0), 1600, 1200), preprocessing=1) == 2

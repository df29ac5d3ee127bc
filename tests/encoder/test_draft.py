"""Letting libjpeg scale while it decodes must not change what the encoder sees."""

from __future__ import annotations

import io

import numpy as np
import pytest

from clipsearch.decode import DRAFT_FACTOR, decode_for_encoder, decode_photo
from clipsearch.encoder import Encoder
from clipsearch.thumbnails import LONGER_SIDE
from model_export import ROOT
from model_export.demo.scenes import draw, random_scene
from model_export.samples import photo

DEMO = ROOT / "model_export/demo/bundle"

# (width, height), and by how much it may be scaled for 64 pixels
SHAPES = {(1600, 1200): 8, (3000, 2000): 8, (1200, 900): 4, (642, 334): 2, (1203, 1807): 1}


@pytest.fixture(scope="session")
def demo() -> Encoder:
    if not (DEMO / "model.json").exists():
        pytest.skip("the demo model has not been made yet: make demo-model")
    return Encoder.from_folder(DEMO)


def cosine(encoder: Encoder, data: bytes) -> float:
    drafted, whole = decode_photo(data, for_size=encoder.image_size), decode_photo(data)
    assert drafted.image.size < whole.image.size
    one, other = encoder.encode_image([drafted.image, whole.image])
    return float(one @ other)


@pytest.mark.parametrize("shape", [(1600, 1200), (3000, 2000), (1200, 900)], ids=str)
def test_the_vector_of_a_drafted_photo_is_that_of_the_whole(encoder, shape):
    assert cosine(encoder, photo(np.random.default_rng(0), *shape)) > 0.999


def test_the_demo_model_sees_no_difference_either(demo):
    rng = np.random.default_rng(7)
    for _ in range(10):
        drawn, out = draw(random_scene(rng), 1200, rng), io.BytesIO()
        drawn.crop((0, 100, 1200, 1000)).save(out, "JPEG", quality=90)
        assert cosine(demo, out.getvalue()) > 0.999


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_photo_is_scaled_only_where_every_pixel_stands_for_the_same(shape):
    decoded = decode_photo(photo(np.random.default_rng(0), *shape), for_size=64)
    assert (decoded.width, decoded.height) == shape
    width, height = decoded.image.size
    assert (width * SHAPES[shape], height * SHAPES[shape]) == shape


@pytest.mark.parametrize("for_size", [24, 64, 150, 160, 224, 600, 5000])
def test_a_scaled_photo_stays_large_enough(for_size):
    shorter = min(decode_photo(PHOTO, for_size=for_size).image.size)
    assert shorter == 1200 or shorter >= DRAFT_FACTOR * for_size


def test_a_thumbnail_of_a_scaled_photo_is_as_large_as_of_the_whole():
    scaled = decode_for_encoder(PHOTO, image_size=24).image
    assert max(scaled.size) < 1600
    assert min(scaled.size) >= LONGER_SIDE


PHOTO = photo(np.random.default_rng(0), 1600, 1200)

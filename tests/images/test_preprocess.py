"""CLIP's preprocessing: pixel for pixel what transformers' CLIPImageProcessor makes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from clipsearch.images.levels import sixteen_to_eight
from clipsearch.images.preprocess import preprocess
from model_export.samples import pictures, texture

SAMPLES = pictures()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_pixels_are_those_of_the_reference(sample, golden_pixels, golden_digests):
    image = sixteen_to_eight(sample.image) if sample.image.mode == "I;16" else sample.image
    np.testing.assert_array_equal(preprocess(image, 24), golden_pixels[sample.name])
    for size, digests in golden_digests.items():
        pixels = np.ascontiguousarray(preprocess(image, int(size)))
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == digests[sample.name], size


def test_every_sample_has_its_golden_pixels(golden_pixels):
    assert set(golden_pixels) == {sample.name for sample in SAMPLES}


@pytest.mark.parametrize(("width", "offset"), [(24, 0), (25, 0), (26, 1), (27, 1), (28, 2)])
def test_the_crop_is_rounded_as_clip_image_processor_rounds_it(width, offset):
    pixels = np.zeros((24, width, 3), np.uint8)
    pixels[:] = np.arange(width)[:, None]
    assert preprocess(Image.fromarray(pixels), 24)[0, 0, 0] == offset


def test_what_is_transparent_is_white():
    image = Image.new("RGBA", (30, 30), (200, 0, 0, 0))
    assert (preprocess(image, 24) == 255).all()


def test_a_picture_far_too_long_is_not_resized_as_a_whole():
    """As a whole this would be 24 x 24,000,000 pixels."""
    strip = np.repeat(np.arange(100, dtype=np.uint8), 10_000)[None, :, None]
    pixels = preprocess(Image.fromarray(np.repeat(strip, 3, axis=2)), 24)
    assert pixels.shape == (24, 24, 3)
    assert set(np.unique(pixels)) <= {49, 50}  # the middle


def test_cropping_first_gives_the_same_picture(monkeypatch):
    image = texture(np.random.default_rng(5), 60, 1111)
    whole = preprocess(image, 24)
    monkeypatch.setattr("clipsearch.images.preprocess.MAX_RESIZED_PIXELS", 0)
    assert np.abs(preprocess(image, 24).astype(int) - whole).max() <= 1


@pytest.mark.parametrize("size", [(500, 700), (40_000, 3), (3, 40_000), (5, 7)])
@pytest.mark.parametrize("resample", ["bicubic", "bilinear"])
def test_a_squashed_picture_is_pillows_resize_of_the_whole(size, resample):
    image = texture(np.random.default_rng(4), *size)
    whole = image.resize((24, 24), Image.Resampling[resample.upper()])
    np.testing.assert_array_equal(preprocess(image, 24, "squash", resample), np.asarray(whole))

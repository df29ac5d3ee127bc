"""Preprocessing against the live CLIPImageProcessor, on more sizes than the golden files hold."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks.random_clip import MEAN, STD
from clipsearch.images.decode import decode_photo
from clipsearch.images.preprocess import preprocess
from model_export.reference import as_viewed, reference_square
from model_export.samples import MODES, in_mode, pictures, texture
from tests.export.transformers_reference import image_processor
from tests.support.pictures import encoded, turning


def reference(image: Image.Image, size: int) -> np.ndarray:
    processor = image_processor(size, MEAN, STD)
    pixels = processor(images=[as_viewed(image)], do_rescale=False, do_normalize=False)
    return np.moveaxis(pixels["pixel_values"][0], 0, 2)


@pytest.mark.parametrize("size", [24, 33, 64, 224, 336])
def test_the_sample_pictures_are_equal(size):
    for sample in pictures():
        ours = preprocess(as_viewed(sample.image), size)
        theirs = reference(sample.image, size)
        np.testing.assert_array_equal(ours, theirs, err_msg=sample.name)
        # what an export without torch compares with
        np.testing.assert_array_equal(
            reference_square(sample.image, size), theirs, err_msg=sample.name
        )


def test_two_hundred_random_sizes_and_modes_are_equal():
    rng = np.random.default_rng(11)
    for _ in range(200):
        width, height = (int(side) for side in rng.integers(1, 400, 2))
        image = in_mode(rng, str(rng.choice(MODES)), width, height)
        size = int(rng.integers(16, 100))
        ours = preprocess(as_viewed(image), size)
        message = f"{image.mode} {width}x{height} at {size}"
        np.testing.assert_array_equal(ours, reference(image, size), err_msg=message)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_with_an_exif_orientation_is_the_upright_picture(orientation):
    upright = texture(np.random.default_rng(3), 201, 134)
    turn = Image.Transpose
    stored = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }
    image = upright.transpose(stored[orientation]) if orientation > 1 else upright
    data = encoded(image, exif=turning(orientation))
    ours = np.asarray(decode_photo(data, 64).square)
    np.testing.assert_array_equal(ours, reference(upright, 64))

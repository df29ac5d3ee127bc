"""Preprocessing against the live CLIPImageProcessor, on more sizes than the golden files hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.random_clip import MEAN, STD
from clipsearch.images.decode import decode_photo
from clipsearch.images.preprocess import preprocess
from model_export.preprocessing import parse_preprocessing
from model_export.reference import as_viewed, reference_square
from model_export.samples import MODES, in_mode, pictures, texture
from tests.export.transformers_reference import image_processor, processor_of
from tests.support.pictures import encoded, turning

SQUARE = {"size": {"height": 24, "width": 24}}
CROPPED = {"size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "SigLIP": {"image_processor_type": "SiglipImageProcessorPil", **SQUARE, "resample": 3},
    "SigLIP 2": {
        "image_processor_type": "SiglipImageProcessorPil",
        **SQUARE,
        "resample": 2,
        "do_convert_rgb": None,
    },
    "Chinese-CLIP, squashed": {
        "image_processor_type": "ChineseCLIPImageProcessorPil",
        **SQUARE,
        "do_center_crop": False,
    },
    "Chinese-CLIP, cropped": {"image_processor_type": "ChineseCLIPImageProcessorPil", **CROPPED},
    "CLIP, bilinear": {"image_processor_type": "CLIPImageProcessorPil", **CROPPED, "resample": 2},
    "CLIP, squashed and cropped": {
        "image_processor_type": "CLIPImageProcessorPil",
        **CROPPED,
        **SQUARE,
    },
}


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


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_preprocessing_that_is_read_gives_transformers_pixels(name):
    document = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, **DOCUMENTS[name]}
    steps = parse_preprocessing(document)
    processor = processor_of({**document, "do_convert_rgb": True})
    rng = np.random.default_rng(12)
    sides = rng.integers(1, 400, (40, 2)).tolist()
    drawn = [in_mode(rng, str(rng.choice(MODES)), width, height) for width, height in sides]
    # several strips (raster.py); very flat and very high ones
    drawn += [texture(rng, width, height) for width, height in ((900, 700), (3000, 9), (9, 3000))]
    for image in [*drawn, *(sample.image for sample in pictures())]:
        view = as_viewed(image)
        pixels = processor(images=[view], do_rescale=False, do_normalize=False)["pixel_values"][0]
        theirs = np.moveaxis(np.asarray(pixels), 0, 2)
        message = f"{image.mode} {image.size}"
        ours = preprocess(view, steps.size, steps.resize, steps.resample)
        np.testing.assert_array_equal(ours, theirs, err_msg=message)
        checked = reference_square(image, steps.size, steps.resize, steps.resample)
        np.testing.assert_array_equal(checked, theirs, err_msg=message)


def test_a_photo_is_squashed_while_it_is_decoded_as_a_picture_is():
    upright = texture(np.random.default_rng(3), 201, 134)
    data = encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=turning(6))
    ours = np.asarray(decode_photo(data, 64, resize="squash", resample="bilinear").square)
    theirs = processor_of(
        {**DOCUMENTS["SigLIP 2"], "size": {"height": 64, "width": 64}, "do_convert_rgb": True}
    )(images=[upright], do_rescale=False, do_normalize=False)["pixel_values"][0]
    np.testing.assert_array_equal(ours, np.moveaxis(np.asarray(theirs), 0, 2))

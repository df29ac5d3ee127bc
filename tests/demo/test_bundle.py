"""The committed demo model finds trained scenes, through the encoder of the functions.

A small version of `make evaluate-demo`; its bounds are below the figures in docs/benchmarks.md.
"""

from __future__ import annotations

import numpy as np
import pytest

from clipsearch.model.encoder import Encoder
from model_export.demo import BUNDLE
from model_export.demo.evaluate import held_out_scenes, recall
from model_export.demo.scenes import Scene, draw

SCENES = 150


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.from_folder(BUNDLE)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return held_out_scenes(SCENES, np.random.default_rng(11))


def drawn(encoder: Encoder, scenes: list[Scene], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return encoder.encode_image([draw(scene, 200, rng) for scene in scenes])


def test_a_description_finds_its_held_out_scene_and_the_scene_its_description(
    encoder: Encoder, scenes: list[Scene]
) -> None:
    texts = encoder.encode_text([s.describe() for s in scenes]).vectors
    pictures = drawn(encoder, scenes, seed=12)
    assert recall(texts, pictures, 1) >= 0.9
    assert recall(pictures, texts, 1) >= 0.9


def test_a_picture_finds_another_drawing_of_the_same_scene(
    encoder: Encoder, scenes: list[Scene]
) -> None:
    assert recall(drawn(encoder, scenes, seed=13), drawn(encoder, scenes, seed=14), 1) >= 0.9


def test_other_words_for_the_same_things_are_understood(encoder: Encoder) -> None:
    pairs = [
        ("a red car at night", "an image of one red automobile in the dark"),
        ("two purple flowers on the sea", "2 violet blossoms among waves"),
        ("a cat in the snow", "a kitten on a snowy day"),
    ]
    vectors = encoder.encode_text([text for pair in pairs for text in pair]).vectors
    similarity = vectors[::2] @ vectors[1::2].T
    assert (similarity.argmax(1) == np.arange(len(pairs))).all()


def test_the_bundle_says_how_close_to_pytorch_it_is(encoder: Encoder) -> None:
    report = encoder.bundle.report
    for tower, equal in (("text", "tokens_equal"), ("image", "pixels_equal")):
        assert report[tower][equal] == report[tower]["samples"]
        assert report[tower]["least_cosine"] > 0.997

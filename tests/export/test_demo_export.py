"""The demo bundle in the repository is what the weights beside it give."""

from __future__ import annotations

import numpy as np
import pytest

from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import PRECISIONS
from model_export.demo import BUNDLE
from model_export.demo.evaluate import embed, held_out_scenes, recall
from model_export.demo.export import export_demo
from model_export.demo.scenes import Scene

SCENES = 100


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return held_out_scenes(SCENES, np.random.default_rng(21))


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    folder = tmp_path_factory.mktemp("demo")
    for precision in PRECISIONS:
        export_demo(folder / precision, precision, precision)
    return {precision: Encoder.from_folder(folder / precision) for precision in PRECISIONS}


def vectors_of(encoder: Encoder, scenes: list[Scene]) -> tuple[np.ndarray, np.ndarray]:
    texts = encoder.encode_text([scene.describe() for scene in scenes]).vectors
    return texts, embed(encoder, scenes, np.random.default_rng(22), "scenes")


def test_the_committed_bundle_is_an_export_of_the_committed_weights(
    encoders: dict[str, Encoder], scenes: list[Scene]
) -> None:
    # Not its bytes: sums of floating point depend on the processor, in the last digit.
    committed = vectors_of(Encoder.from_folder(BUNDLE), scenes)
    for ours, theirs in zip(vectors_of(encoders["int8"], scenes), committed, strict=True):
        assert (ours * theirs).sum(1).min() > 0.999


def test_eight_bits_find_what_fp32_finds(encoders: dict[str, Encoder], scenes: list[Scene]) -> None:
    found = {p: recall(*vectors_of(encoders[p], scenes), 1) for p in PRECISIONS}
    assert found["fp32"] >= 0.95
    assert found["int8"] >= found["fp32"] - 0.03

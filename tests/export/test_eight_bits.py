"""Eight bits survive what real weights have: channels, constants and hidden units out of scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.planting import PLANTS, planted
from clipsearch.model.bundle import Bundle
from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import TOWERS, Precision, Tower
from model_export.checkpoint import Checkpoint
from model_export.demo.evaluate import embed, held_out_scenes, recall
from model_export.demo.export import demo_checkpoint
from model_export.eight_bits.activations import measure, vectors
from model_export.eight_bits.exact import choose
from model_export.eight_bits.folds import Folded, folds
from model_export.eight_bits.recipe import BOUND, smoothed
from model_export.eight_bits.samples import feeds, pictures, sentences
from model_export.eight_bits.smooth import smooth
from model_export.expected import expect
from model_export.forward import text_features
from model_export.ranking import noise
from model_export.report import table
from model_export.samples import texts
from model_export.write_bundle import export_bundle, write_bundle

ALL = tuple(PLANTS)
SIZE = 64
SCENES = 100

Export = Callable[[Checkpoint], tuple[Bundle, Path]]


@pytest.fixture(scope="module")
def demo() -> Checkpoint:
    return demo_checkpoint()


@pytest.fixture(scope="module")
def outliers(demo: Checkpoint) -> Checkpoint:
    return planted(demo, ALL, SIZE)


@pytest.fixture
def exported(tmp_path: Path) -> Export:
    def export(checkpoint: Checkpoint) -> tuple[Bundle, Path]:
        folder = tmp_path / "bundle"
        precision: dict[Tower, Precision] = dict.fromkeys(TOWERS, "int8")
        return export_bundle(checkpoint, folder, name="x", precision=precision, samples=8), folder

    return export


def in_fp32(checkpoint: Checkpoint, folder: Path) -> Path:
    write_bundle(checkpoint, folder, "x", dict.fromkeys(TOWERS, "fp32"))
    return folder


def test_planted_outliers_leave_the_function_as_it_is(demo, outliers):
    expected, found = expect(demo, 8), expect(outliers, 8)
    np.testing.assert_allclose(found.text, expected.text, atol=1e-5)
    np.testing.assert_allclose(found.image, expected.image, atol=1e-5)


def test_smoothing_leaves_the_function_as_it_is(outliers, tmp_path):
    before = in_fp32(outliers, tmp_path / "before")
    changed = smoothed(outliers, before, TOWERS, quick=False)
    after = in_fp32(changed, tmp_path / "after")
    for tower in TOWERS:
        inputs = feeds(before, tower)
        theirs, ours = (vectors(f / f"{tower}.onnx", inputs) for f in (before, after))
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()
    assert any(name.endswith("mlp.fc2.factor") for name in changed.weights)


def test_smoothing_is_in_the_start_token_too(outliers, tmp_path):
    """Its keys and values are constants of the graph. The forward pass in numpy has none; it knows
    no factors either, so there are none here."""
    before = in_fp32(outliers, tmp_path / "before")
    channels = measure(before / "text.onnx", feeds(before, "text"))
    places = [f for f in folds(outliers.config, outliers.weights, "text") if f.source]
    changed = Folded(outliers.weights, smooth(places, outliers.weights, channels))
    ids = feeds(before, "text")[0]["input_ids"]
    ours = text_features(outliers.document, changed, ids)
    np.testing.assert_allclose(
        ours, text_features(outliers.document, outliers.weights, ids), atol=1e-5
    )
    after = in_fp32(dataclasses.replace(outliers, weights=changed), tmp_path / "after")
    np.testing.assert_allclose(vectors(after / "text.onnx", [{"input_ids": ids}]), ours, atol=1e-5)


def test_an_array_is_read_only_when_it_is_asked_for(demo, tmp_path):
    folder = in_fp32(demo, tmp_path / "before")
    channels = measure(folder / "text.onnx", feeds(folder, "text"))
    changes = smooth(folds(demo.config, demo.weights, "text"), demo.weights, channels)

    read = []

    class Watched(dict):
        def __getitem__(self, name):
            read.append(name)
            return super().__getitem__(name)

    again = Folded(Watched(demo.weights), changes)
    assert not read
    name = "text_model.encoder.layers.1.self_attn.v_proj"
    assert again[f"{name}.bias"].shape == (demo.config.text.width,)
    assert set(read) == {f"{name}.bias", f"{name}.weight"}
    assert set(again) == set(demo.weights)
    assert f"{name}.factor" not in again


@pytest.mark.parametrize("kinds", [(kind,) for kind in ALL] + [ALL], ids="+".join)
def test_planted_outliers_stay_in_8_bits_and_find_what_fp32_finds(demo, exported, kinds):
    bundle, folder = exported(planted(demo, kinds, SIZE))
    scenes = held_out_scenes(SCENES, np.random.default_rng(21))

    def found(encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
        described = encoder.encode_text([scene.describe() for scene in scenes]).vectors
        return described, embed(encoder, scenes, np.random.default_rng(22), "scenes")

    text, image = found(Encoder.from_folder(folder))
    exact = folder.with_name("exact")
    theirs = found(Encoder.from_folder(in_fp32(demo, exact)))
    assert recall(text, image, 1) >= recall(*theirs, 1) - 0.01
    assert noise(text, theirs[0]) < 0.03
    assert noise(image, theirs[1]) < 0.06
    for tower in TOWERS:
        assert bundle.precision[tower] == "int8"
        assert bundle.report[tower]["eight_bits"]["in_fp32"] == {}


def breaking(checkpoint: Checkpoint, tower: str, layer: int) -> Checkpoint:
    """Two equal hidden units, as large as their weights in fc2, which cancel. No scale helps: what
    is taken from one side is put on the other, and both lose their steps."""
    arrays = {name: np.array(array) for name, array in checkpoint.weights.items()}
    at = f"{tower}.encoder.layers.{layer}.mlp"
    fc1, fc2 = arrays[f"{at}.fc1.weight"], arrays[f"{at}.fc2.weight"]
    fc1[:2], arrays[f"{at}.fc1.bias"][:2] = 0, 200
    fc2[:, 0] = 200 * np.abs(fc2).mean()
    fc2[:, 1] = -fc2[:, 0]
    return dataclasses.replace(checkpoint, weights=arrays)


def test_a_matrix_that_breaks_8_bits_is_found_and_only_it_is_in_fp32(demo, exported):
    bundle, folder = exported(breaking(demo, "vision_model", 2))
    assert list(bundle.report["image"]["eight_bits"]["in_fp32"]) == ["2.fc2"]
    assert bundle.report["text"]["eight_bits"]["in_fp32"] == {}
    assert bundle.precision == {"image": "int8", "text": "int8"}
    nodes = onnx.load(str(folder / "image.onnx"), load_external_data=False).graph.node
    exact = [node.input[1] for node in nodes if node.op_type == "MatMul"]
    assert exact == ["2.fc2.weight", "projection.weight"]
    printed = table(bundle.report)
    assert "image: in fp32, for the noise that each adds in 8 bits: 2.fc2 (" in printed
    assert "21 of 22" in printed
    assert bundle.report["image"]["eight_bits"]["noise_on_samples"] <= BOUND


def test_a_table_that_breaks_8_bits_is_found_too(demo, exported):
    arrays = {name: np.array(array) for name, array in demo.weights.items()}
    arrays["text_model.embeddings.token_embedding.weight"][:, 3] += 64
    arrays["text_model.embeddings.position_embedding.weight"][:, 3] -= 64
    bundle, _ = exported(dataclasses.replace(demo, weights=arrays))
    assert list(bundle.report["text"]["eight_bits"]["in_fp32"]) == ["tokens"]
    assert bundle.precision["text"] == "int8"
    assert bundle.report["text"]["noise"] < 0.1


@pytest.mark.parametrize(
    ("alone", "rest", "expected"),
    [
        ({"a": 0.01, "b": 0.01, "c": 0.01}, 0.0, set()),
        ({"a": 0.01, "b": 0.5, "c": 0.01}, 0.0, {"b"}),
        ({"a": 0.09, "b": 0.5, "c": 0.09}, 0.0, {"a", "b"}),
        ({"a": 0.01, "b": 0.5, "c": 0.01}, 0.2, {"a", "b", "c"}),
    ],
)
def test_the_fewest_matrices_go_to_fp32(alone, rest, expected):
    calls = []

    def measured(exact):
        calls.append(exact)
        return float(np.hypot(rest, np.sqrt(sum(alone[m] ** 2 for m in alone.keys() - exact))))

    assert choose(list(alone), measured, 0.1).exact == expected
    assert len(calls) <= 2 * len(alone) + 2


def test_errors_that_do_not_add_up_are_measured_together():
    """Each is small alone; together they are not."""

    def measured(exact):
        return {0: 0.0, 1: 0.01, 2: 0.05}.get(3 - len(exact), 0.3)

    choice = choose(["a", "b", "c"], measured, 0.1)
    assert (len(choice.exact), choice.noise) == (1, 0.05)


def test_the_samples_are_none_of_the_verification(demo):
    assert not set(sentences()) & set(texts())
    assert len({picture.tobytes() for picture in pictures()}) == len(pictures())

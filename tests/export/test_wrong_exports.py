"""A wrong export is not shipped: the code is broken in one place, and there is no bundle."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from clipsearch.images.preprocess import Square
from clipsearch.model.bundle import Bundle
from clipsearch.model.encoder import Encoder
from model_export import write_bundle
from model_export.errors import UnsupportedModel
from model_export.samples import texts
from model_export.towers import clip, linear
from model_export.towers.graph import Graph
from model_export.verify import NotEqual

IN_EACH = pytest.mark.parametrize("precision", ["fp32", "int8"])


def assert_refused(export, tmp_path, model, what, precision="fp32"):
    """There is no bundle afterwards, or the one from before."""
    bundle = tmp_path / "bundle"
    before = {file.name: file.read_bytes() for file in bundle.glob("*")}
    with pytest.raises(NotEqual, match=what):
        export(model, image_precision=precision, text_precision=precision)
    assert {file.name: file.read_bytes() for file in bundle.glob("*")} == before
    assert not list(tmp_path.glob(".export-*"))


@IN_EACH
def test_a_swapped_normalisation_is_refused(export, model, tmp_path, monkeypatch, precision):
    real = clip.export_image

    def swapped(config, weights, path, mean, std, precision):
        real(config, weights, path, std, mean, precision)

    monkeypatch.setattr(write_bundle, "export_image", swapped)
    assert_refused(export, tmp_path, model, "image in fp32: a value differs by", precision)


@IN_EACH
def test_a_pooling_one_token_off_is_refused_and_the_old_bundle_stays(
    export, model, tmp_path, monkeypatch, precision
):
    export(model)
    real = clip.export_text

    def shifted(config, weights, path, start_token, end_token, precision):
        real(config, weights, path, start_token, end_token - 1, precision)

    monkeypatch.setattr(write_bundle, "export_text", shifted)
    assert_refused(export, tmp_path, model, "text in fp32: a value differs by", precision)


@IN_EACH
def test_a_wrong_crop_is_refused(export, model, tmp_path, monkeypatch, precision):
    real = Square.__init__

    def off(square, width, height, size):
        real(square, width + 1, height, size)

    monkeypatch.setattr(Square, "__init__", off)
    assert_refused(export, tmp_path, model, r"image: pixels_equal for \d+ of \d+", precision)


@IN_EACH
def test_colours_in_another_order_are_refused(export, model, tmp_path, monkeypatch, precision):
    real = clip.patch_kernel
    monkeypatch.setattr(clip, "patch_kernel", lambda kernel, *rest: real(kernel[:, ::-1], *rest))
    assert_refused(export, tmp_path, model, "image in fp32: a value differs by", precision)


@IN_EACH
def test_texts_cut_a_token_too_early_are_refused(export, model, tmp_path, monkeypatch, precision):
    real = Encoder.tokenize

    def early(self, texts):
        rows, cut = real(self, texts)
        return [row[:-2] + row[-1:] if c else row for row, c in zip(rows, cut, strict=True)], cut

    monkeypatch.setattr(Encoder, "tokenize", early)
    assert_refused(export, tmp_path, model, r"text: tokens_equal for \d+ of 39", precision)


def wrong_nodes(op, **attributes):
    """Every node `op` of the graphs has these attributes instead."""
    real = Graph.add_many  # which Graph.add calls, too

    def add_many(self, kind, *inputs, **given):
        return real(self, kind, *inputs, **given | (attributes if kind == op else {}))

    return Graph, "add_many", add_many


def wrong_weight(name, change):
    real = Graph.weight

    def weight(self, given, values, *file):
        return real(self, given, change(values) if given == name else values, *file)

    return Graph, "weight", weight


def wrong_tokenizer(**changes):
    real = write_bundle._tokenizer_json

    def changed(tokenizer):
        return json.dumps({**json.loads(real(tokenizer)), **changes})

    return write_bundle, "_tokenizer_json", changed


MISTAKES = {
    "texts look ahead": (wrong_nodes("MultiHeadAttention", unidirectional=0), "text in fp32"),
    "pictures do not": (wrong_nodes("MultiHeadAttention", unidirectional=1), "image in fp32"),
    "start": (wrong_weight("start", lambda values: values * 0.9), "text in fp32"),
    "positions": (wrong_weight("positions", lambda rows: np.roll(rows, 1, axis=0)), "in fp32"),
    "activation": (wrong_nodes("QuickGelu", alpha=1.0), "text in fp32.*image in fp32"),
    "epsilon": (wrong_nodes("LayerNormalization", epsilon=1e-3), "text in fp32.*image in fp32"),
    "capitals": (wrong_tokenizer(normalizer=None), r"tokens_equal for \d+ of 39"),
}


@pytest.mark.parametrize(("wrong", "what"), MISTAKES.values(), ids=MISTAKES.keys())
def test_other_mistakes_are_refused(export, model, tmp_path, monkeypatch, wrong, what):
    monkeypatch.setattr(*wrong)
    assert_refused(export, tmp_path, model, what)


def test_another_logit_scale_is_refused(export, model, tmp_path, monkeypatch):
    class Wrong(Bundle):
        def __init__(self, **facts) -> None:
            super().__init__(**{**facts, "logit_scale": 100.0})

    monkeypatch.setattr(write_bundle, "Bundle", Wrong)
    assert_refused(export, tmp_path, model, "logit scale: 100.0, the checkpoint's is 14.28")


def test_weights_that_are_no_numbers_are_refused(export, model):
    with torch.no_grad():
        model.visual_projection.weight[0, 0] = float("nan")
    with pytest.raises(UnsupportedModel, match="no numbers for the image samples"):
        export(model)


def test_a_bad_table_in_8_bits_is_refused(export, model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        clip,
        "table",
        lambda g, name, values, rows, precision: linear.table(
            g, name, values if precision == "fp32" else np.roll(values, 1, 0), rows, precision
        ),
    )
    with pytest.raises(NotEqual, match="text in int8: a"):
        export(model, text_precision="int8")
    assert not (tmp_path / "bundle").exists()


def test_bad_matrices_in_8_bits_are_not_used(export, model, monkeypatch):
    monkeypatch.setattr(
        "model_export.towers.linear.quantize_columns",
        lambda weight, real=linear.quantize_columns: (
            real(weight)[0],
            real(weight)[1] * np.linspace(0.5, 1.5, len(real(weight)[1]), dtype=np.float32),
        ),
    )
    found = export(model, text_precision="int8").report["text"]
    assert found["noise"] < 0.1
    assert len(found["eight_bits"]["in_fp32"]) > 4


def test_the_samples_reach_past_the_context_and_leave_much_of_it(model, tokenizer):
    lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts())]
    assert min(lengths) == 2
    assert max(lengths) > 77

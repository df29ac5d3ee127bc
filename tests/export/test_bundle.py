"""An export is a bundle that gives what PyTorch gives, or there is no bundle."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
import torch
from tokenizers import Tokenizer, processors

from clipsearch import preprocess as preprocess_module
from clipsearch.bundle import FILES, MODEL_JSON, publish_bundle, read_bundle
from clipsearch.encoder import Encoder
from clipsearch.storage.folder import FolderBucket
from model_export import onnx_export, write_bundle
from model_export.graph import Graph
from model_export.onnx_export import UnsupportedModel
from model_export.samples import texts
from model_export.tiny import tiny_clip
from model_export.verify import NotEqual


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
def test_fp32_is_pytorch_to_the_fourth_decimal(export, act):
    report = export(tiny_clip(act=act)).report
    for tower in ("text", "image"):
        assert report[tower]["max_difference"] < 1e-4
        assert report[tower]["samples"] > 30
    assert report["text"]["tokens_equal"] == report["text"]["samples"]
    assert report["image"]["pixels_equal"] == report["image"]["samples"]


@pytest.mark.parametrize("towers", [("int8", "fp32"), ("fp32", "int8"), ("int8", "int8")])
def test_each_tower_has_its_own_precision(export, model, tmp_path, towers):
    whole, (image, text) = export(model), towers
    bundle = export(model, image_precision=image, text_precision=text)
    assert bundle.precision == {"image": image, "text": text}
    assert bundle.space != whole.space
    for tower, marker in (("image", "DynamicQuantizeMatMul"), ("text", "MatMulNBits")):
        path = tmp_path / "bundle" / f"{tower}.onnx"
        nodes = onnx.load(str(path), load_external_data=False).graph.node
        assert (marker in {node.op_type for node in nodes}) == (bundle.precision[tower] == "int8")
        assert bundle.report[tower]["least_cosine"] > 0.99


def test_the_same_weights_give_the_same_bytes_and_other_weights_another_space(export, model):
    first = export(model)
    again, other = export(tiny_clip()), export(tiny_clip(seed=1))
    assert (again.space, again.files) == (first.space, first.files)
    assert other.space != first.space


def test_nothing_of_this_machine_is_in_the_files(export, model, tmp_path):
    export(model)
    for file in (*read_bundle(tmp_path / "bundle").bundle.files, "model.json"):
        data = (tmp_path / "bundle" / file).read_bytes()
        assert str(tmp_path).encode() not in data
        assert b"/site-packages/" not in data


def test_the_graphs_are_valid_onnx_and_only_batch_and_length_vary(export, model, tmp_path):
    export(model)
    shapes = {}
    for tower in ("image", "text"):
        path = tmp_path / "bundle" / f"{tower}.onnx"
        onnx.checker.check_model(str(path))
        graph = onnx.load(str(path), load_external_data=False).graph
        for value in (*graph.input, *graph.output):
            sizes = value.type.tensor_type.shape.dim
            shapes[tower, value.name] = [size.dim_param or size.dim_value for size in sizes]
    assert shapes == {
        ("image", "pixels"): ["N", 24, 24, 3],
        ("image", "embedding"): ["N", 40],
        ("text", "input_ids"): ["N", "T"],
        ("text", "embedding"): ["N", 40],
    }


def test_model_json_says_what_the_model_is(export, model, tmp_path):
    bundle = export(model, name="a name")
    document = json.loads((tmp_path / "bundle" / "model.json").read_bytes())
    assert document["name"] == "a name"
    assert document["logit_scale"] == pytest.approx(model.logit_scale.exp().item())
    assert document["dim"] == 40
    assert document["report"]["text"]["tokens_equal"] > 30
    assert set(document["files"]) == {*FILES, "text.onnx.rows"}
    assert read_bundle(tmp_path / "bundle").bundle == bundle
    assert not list(tmp_path.glob(".export-*"))


def test_two_exports_into_one_folder_leave_a_whole_bundle(export, model, tmp_path):
    folder = tmp_path / "bundle"
    for precision in ("fp32", "int8"):
        export(model, image_precision=precision, text_precision=precision)
        folder.rename(tmp_path / precision)

    def put_again_and_again(source):
        for number in range(20):
            copy = shutil.copytree(source, tmp_path / f"{source.name}-{number}")
            write_bundle._move(copy, folder)

    sources = (tmp_path / "fp32", tmp_path / "int8")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(put_again_and_again, sources))
    local = read_bundle(folder)
    with local.files("image"), local.files("text"):
        assert {path.name for path in folder.iterdir()} == {*local.bundle.files, MODEL_JSON}


def test_an_exported_bundle_can_be_published_and_used(export, model, tmp_path):
    export(model)
    bucket = FolderBucket(tmp_path / "index")
    publish_bundle(tmp_path / "bundle", bucket)
    with torch.inference_mode():
        ids = torch.tensor(Encoder.from_bucket(bucket).tokenize(["a red car"])[0])
        features = model.get_text_features(input_ids=ids).pooler_output
    expected = torch.nn.functional.normalize(features).numpy()
    vectors = Encoder.from_bucket(bucket).encode_text(["a red car"]).vectors
    np.testing.assert_allclose(vectors, expected, atol=1e-4)


# --- where a text ends --------------------------------------------------------------------


def test_configurations_of_before_the_end_token_was_right_pool_at_the_same_place(export, model):
    """openai/clip-vit-base-patch32 says eos_token_id 2; transformers then takes the highest."""
    new = export(model)
    model.config.text_config.eos_token_id = 2
    model.text_model.eos_token_id = 2
    old = export(model)
    assert old.report["text"]["max_difference"] < 1e-4
    assert old.space == new.space


def test_an_end_token_that_is_not_the_highest_is_found(export, tokenizer):
    """The demo model's is token 1."""
    model = tiny_clip()
    end = tokenizer.token_to_id("a")
    model.config.text_config.eos_token_id = end
    model.text_model.eos_token_id = end
    other = Tokenizer.from_str(tokenizer.to_str())
    start = tokenizer.token_to_id("<|startoftext|>")
    other.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A a", special_tokens=[("<|startoftext|>", start), ("a", end)]
    )
    assert export(model, tokenizer=other).report["text"]["max_difference"] < 1e-4


def test_a_tokenizer_that_ends_elsewhere_than_the_model_is_refused(export, model):
    model.config.text_config.eos_token_id = 7
    with pytest.raises(UnsupportedModel, match="ends texts with token 599, the model pools at"):
        export(model)


def test_a_tokenizer_without_start_and_end_is_refused(export, model, tokenizer):
    bare = Tokenizer.from_str(tokenizer.to_str())
    bare.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    with pytest.raises(UnsupportedModel, match="must add a start and an end token"):
        export(model, tokenizer=bare)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 32}, "image_size 32; the model's is 24"),
        ({"context_length": 77}, "context_length 77; the model has 20"),
    ],
    ids=str,
)
def test_sizes_that_are_not_the_models_are_refused(export, model, change, message):
    with pytest.raises(UnsupportedModel, match=message):
        export(model, **change)


def test_an_unknown_activation_is_refused(export):
    with pytest.raises(UnsupportedModel, match="hidden_act 'relu'"):
        export(tiny_clip(act="relu"))


# --- a wrong export is not shipped --------------------------------------------------------


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
    real = write_bundle.export_image

    def swapped(model, path, mean, std, scheme):
        real(model, path, std, mean, scheme)

    monkeypatch.setattr(write_bundle, "export_image", swapped)
    assert_refused(export, tmp_path, model, "image in fp32: a value differs by", precision)


@IN_EACH
def test_a_pooling_one_token_off_is_refused_and_the_old_bundle_stays(
    export, model, tmp_path, monkeypatch, precision
):
    export(model)
    real = write_bundle.export_text

    def shifted(model, path, end_token, scheme):
        real(model, path, end_token - 1, scheme)

    monkeypatch.setattr(write_bundle, "export_text", shifted)
    assert_refused(export, tmp_path, model, "text in fp32: a value differs by", precision)


@IN_EACH
def test_a_wrong_crop_is_refused(export, model, tmp_path, monkeypatch, precision):
    def off(image, size):
        wide = image.resize((image.width + 1, image.height))
        return preprocess_module.preprocess(wide, size)

    monkeypatch.setattr("model_export.verify.preprocess", off)
    monkeypatch.setattr("clipsearch.encoder.preprocess", off)
    assert_refused(export, tmp_path, model, r"image: pixels_equal for \d+ of \d+", precision)


@IN_EACH
def test_colours_in_another_order_are_refused(export, model, tmp_path, monkeypatch, precision):
    real = onnx_export._patch_kernel
    monkeypatch.setattr(
        onnx_export, "_patch_kernel", lambda kernel, *rest: real(kernel[:, ::-1], *rest)
    )
    assert_refused(export, tmp_path, model, "image in fp32: a value differs by", precision)


@IN_EACH
def test_texts_cut_a_token_too_early_are_refused(export, model, tmp_path, monkeypatch, precision):
    real = Encoder.tokenize

    def early(self, texts):
        rows, cut = real(self, texts)
        return [row[:-2] + row[-1:] if c else row for row, c in zip(rows, cut, strict=True)], cut

    monkeypatch.setattr(Encoder, "tokenize", early)
    assert_refused(export, tmp_path, model, r"text: tokens_equal for \d+ of 40", precision)


def wrong_nodes(op, **attributes):
    """Every node `op` of the graphs has these attributes instead."""
    real = Graph.add

    def add(self, kind, *inputs, **given):
        return real(self, kind, *inputs, **given | (attributes if kind == op else {}))

    return Graph, "add", add


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
    "positions": (wrong_weight("positions", lambda rows: np.roll(rows, 1, axis=0)), "in fp32"),
    "activation": (wrong_nodes("QuickGelu", alpha=1.0), "text in fp32.*image in fp32"),
    "epsilon": (wrong_nodes("LayerNormalization", epsilon=1e-3), "text in fp32.*image in fp32"),
    "capitals": (wrong_tokenizer(normalizer=None), r"tokens_equal for \d+ of 40"),
}


@pytest.mark.parametrize(("wrong", "what"), MISTAKES.values(), ids=MISTAKES.keys())
def test_other_mistakes_are_refused(export, model, tmp_path, monkeypatch, wrong, what):
    monkeypatch.setattr(*wrong)
    assert_refused(export, tmp_path, model, what)


def test_another_logit_scale_is_refused(export, model, tmp_path, monkeypatch):
    class Wrong(write_bundle.Bundle):
        def __init__(self, **facts) -> None:
            super().__init__(**{**facts, "logit_scale": 100.0})

    monkeypatch.setattr(write_bundle, "Bundle", Wrong)
    assert_refused(export, tmp_path, model, "logit scale: 100.0, PyTorch's is 14.28")


def test_weights_that_are_no_numbers_are_refused(export, model):
    with torch.no_grad():
        model.visual_projection.weight[0, 0] = float("nan")
    with pytest.raises(UnsupportedModel, match="no numbers for the image samples"):
        export(model)


def test_a_model_whose_patches_do_not_fill_the_picture_is_refused(export, model):
    model.config.vision_config.patch_size = 7
    with pytest.raises(UnsupportedModel, match="24 in patches of 7"):
        export(model)


def test_bad_8_bit_weights_are_refused(export, model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "model_export.linear.quantize_blocks",
        lambda weight, real=onnx_export.linear.__globals__["quantize_blocks"]: (
            real(weight)[0],
            real(weight)[1] * np.linspace(0.5, 1.5, len(real(weight)[1]), dtype=np.float32),
        ),
    )
    with pytest.raises(NotEqual, match="text in int8: a noise of"):
        export(model, text_precision="int8")
    assert not (tmp_path / "bundle").exists()


def test_the_samples_reach_past_the_context_and_leave_much_of_it(model, tokenizer):
    lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts())]
    assert min(lengths) == 2
    assert max(lengths) > 77

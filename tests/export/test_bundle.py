"""An export is a bundle that gives what PyTorch gives (see test_wrong_exports.py, too)."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
import torch
from tokenizers import Tokenizer, processors

from benchmarks.random_clip import tiny_clip
from clipsearch.matching import default_matching
from clipsearch.model.bundle import FILES, MODEL_JSON, publish_bundle, read_bundle
from clipsearch.model.encoder import Encoder
from clipsearch.storage.local import FolderBucket
from model_export import write_bundle
from model_export.config import ConfigError
from model_export.errors import UnsupportedModel
from model_export.text_direction import TEXTS


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
    for tower in ("image", "text"):
        path = tmp_path / "bundle" / f"{tower}.onnx"
        nodes = onnx.load(str(path), load_external_data=False).graph.node
        in_8_bits = "DynamicQuantizeMatMul" in {node.op_type for node in nodes}
        assert in_8_bits == (bundle.precision[tower] == "int8")
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


def test_model_json_tells_the_direction_that_texts_share(export, model, tmp_path):
    direction = export(model).text_direction
    encoder = Encoder.from_folder(tmp_path / "bundle")
    rows = [encoder.tokenize([text])[0] for text in TEXTS]
    with torch.inference_mode():
        features = [model.get_text_features(torch.tensor(row)).pooler_output for row in rows]
    expected = torch.nn.functional.normalize(torch.cat(features)).mean(dim=0).numpy()
    np.testing.assert_allclose(direction, expected, atol=1e-4)


def test_model_json_has_default_numbers_for_matches_from_the_logit_scale(export, model):
    bundle = export(model)
    assert bundle.matching == default_matching(bundle.logit_scale)
    assert bundle.matching.text.offset == pytest.approx(5 / bundle.logit_scale)
    assert bundle.matching.fitted == ""


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


def test_an_unknown_activation_is_refused(export):
    with pytest.raises(ConfigError, match="hidden_act is 'relu'"):
        export(tiny_clip(act="relu"))

"""What is no CLIP checkpoint that can be exported is refused in one line that says why."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.random_clip import MEAN, STD, tiny_clip
from model_export.preprocessing import (
    UnsupportedPreprocessing,
    parse_openclip,
    parse_preprocessing,
)
from tests.export.checkpoints import (
    change_json,
    clip_with_heads_of_64,
    old_preprocessing,
    save_new,
    save_old,
    save_openclip,
)
from tests.export.command import main


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_new(tmp_path / "checkpoint", tiny_clip())


@pytest.fixture
def refused(capsys, tmp_path):
    """Exports the folder and returns the one line of the refusal, of which no bundle is left."""

    def run(folder: Path, *arguments: str, code: int = 1) -> str:
        out = tmp_path / "models" / "out"
        assert main([str(folder), "--out", str(out), *arguments]) == code
        [line] = capsys.readouterr().err.splitlines()
        assert not out.exists()
        assert not list(tmp_path.glob("models/.export-*"))
        return line

    return run


@pytest.mark.parametrize("kind", ["bert", "siglip2", None])
def test_another_kind_of_model_is_refused_by_name(checkpoint, refused, kind):
    change_json(checkpoint / "config.json", model_type=kind)
    line = refused(checkpoint)
    message = f"has a config.json that is not supported: model_type is {kind!r}"
    assert line.startswith(f"clipsearch: {checkpoint} {message}")


def test_another_kind_of_model_is_named_before_what_it_lacks(checkpoint, refused):
    change_json(checkpoint / "config.json", model_type="bert")
    (checkpoint / "tokenizer.json").unlink()
    assert "model_type is 'bert'; supported are" in refused(checkpoint)


@pytest.mark.parametrize(
    "file", ["config.json", "tokenizer.json", "tokenizer_config.json", "processor_config.json"]
)
def test_json_that_is_too_deep_is_named(checkpoint, refused, file):
    (checkpoint / file).write_text("[" * 100_000)
    assert f"has a damaged {file.removesuffix('.json')}" in refused(checkpoint)


@pytest.mark.parametrize("steps", [3, [], {"image_processor_type": []}], ids=str)
def test_preprocessing_of_another_type_is_refused(checkpoint, refused, steps):
    change_json(checkpoint / "processor_config.json", image_processor=steps)
    line = refused(checkpoint)
    assert "image_processor is no object" in line or "image_processor_type []" in line


def test_openclips_preprocessing_of_another_type_is_refused(tmp_path, refused):
    folder = save_openclip(tmp_path / "openclip", clip_with_heads_of_64())
    change_json(folder / "open_clip_config.json", preprocess_cfg="bicubic")
    assert "has a damaged open_clip_config.json: preprocess_cfg is no object" in refused(folder)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["config.json"], "has no config.json and no open_clip_config.json"),
        (["tokenizer.json"], "has no tokenizer: no tokenizer.json, nor vocab.json and merges.txt"),
        (["processor_config.json"], "says nothing of its pictures: no preprocessor_config.json"),
        (["model.safetensors"], "has no weights: none of model.safetensors, "),
    ],
    ids=str,
)
def test_a_missing_file_is_named(checkpoint, refused, files, message):
    for file in files:
        (checkpoint / file).unlink()
    assert f"clipsearch: {checkpoint} {message}" in refused(checkpoint)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("config.json", "has a damaged config.json: "),
        ("tokenizer.json", "has a damaged tokenizer: "),
        ("processor_config.json", "has a damaged processor_config.json: "),
        ("model.safetensors", "has a damaged model.safetensors: "),
    ],
    ids=str,
)
def test_a_file_that_is_cut_off_is_named(checkpoint, refused, file, message):
    data = (checkpoint / file).read_bytes()
    (checkpoint / file).write_bytes(data[: len(data) // 2])
    assert f"clipsearch: {checkpoint} {message}" in refused(checkpoint)


def test_a_pytorch_file_that_is_cut_off_is_named(tmp_path, refused):
    folder = save_old(tmp_path / "old", tiny_clip())
    data = (folder / "pytorch_model.bin").read_bytes()
    (folder / "pytorch_model.bin").write_bytes(data[: len(data) // 2])
    assert "has a damaged pytorch_model.bin: " in refused(folder)


# transformers itself only warns about these, and fills up with random numbers.
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda weights: weights.pop("visual_projection.weight"),
            "missing: visual_projection.weight",
        ),
        (
            lambda weights: weights.update({"vision_model.more": torch.zeros(2)}),
            "unexpected: vision_model.more",
        ),
        (
            lambda weights: weights.update({"text_projection.weight": torch.zeros(3, 2)}),
            "of another shape: text_projection.weight (3, 2) instead of (40, 32)",
        ),
    ],
    ids=["missing", "unexpected", "another shape"],
)
def test_weights_that_do_not_fit_are_refused(checkpoint, refused, change, message):
    weights = load_file(checkpoint / "model.safetensors")
    change(weights)
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    line = refused(checkpoint)
    assert line == (
        f"clipsearch: {checkpoint} has weights that do not fit its config.json: {message}"
    )


def test_more_layers_in_the_configuration_than_in_the_weights_are_refused(checkpoint, refused):
    config = json.loads((checkpoint / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 3
    (checkpoint / "config.json").write_text(json.dumps(config))
    assert "missing: text_model.encoder.layers.2." in refused(checkpoint)
    assert " and 13 more" in refused(checkpoint)


def test_another_tokenizer_than_clips_is_refused(checkpoint, refused):
    change_json(checkpoint / "tokenizer_config.json", tokenizer_class="XLMRobertaTokenizer")
    assert "has a XLMRobertaTokenizer; CLIPTokenizer is supported" in refused(checkpoint)


def test_pictures_of_another_size_than_the_models_are_refused(tmp_path, refused):
    folder = save_old(tmp_path / "old", tiny_clip())
    change_json(folder / "preprocessor_config.json", size=32, crop_size=32)
    assert "is not supported: image_size 32; the model's is 24" in refused(folder)


def test_a_disk_that_takes_no_more_is_one_line(checkpoint, refused):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        line = refused(checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert line.endswith("File too large")


def test_a_folder_that_cannot_be_written_is_one_line(checkpoint, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main([str(checkpoint), "--out", str(tmp_path / "file" / "out")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "file") in line


def test_what_cannot_be_asked_for_is_one_line(checkpoint, refused, tmp_path):
    assert "there is no folder /none/such" in refused(Path("/none/such"), code=2)
    assert "--to: 'ftp://x' is not file://" in refused(checkpoint, "--to", "ftp://x", code=2)
    said = refused(checkpoint, "--text-template", "a photo", code=2)
    assert said.startswith("clipsearch: --text-template: ")
    file = checkpoint / "config.json"
    said = f"--to: {file} is no folder that can be written"
    assert said in refused(checkpoint, "--to", (file / "index").as_uri(), code=2)
    assert "'fp16' is not one of 'fp32', 'int8'" in refused(
        checkpoint, "--precision", "fp16", code=2
    )


def test_a_folder_with_other_things_is_not_written_into(checkpoint, capsys):
    before = sorted(checkpoint.iterdir())
    assert main([str(checkpoint), "--out", str(checkpoint)]) == 2
    assert "holds what is no bundle, such as config.json" in capsys.readouterr().err
    assert sorted(checkpoint.iterdir()) == before


# --- preprocessing ------------------------------------------------------------------------


def test_the_old_and_the_new_form_say_the_same():
    new = {
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 224, "width": 224},
        "do_rescale": True,
        "rescale_factor": 0.00392156862745098,
        "do_convert_rgb": True,
        "image_processor_type": "CLIPImageProcessor",
        "feature_extractor_type": None,
    }
    old = parse_preprocessing(old_preprocessing(224))
    assert parse_preprocessing({**old_preprocessing(224), **new}) == old
    assert (old.size, old.mean, old.std) == (224, MEAN, STD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resample": 1}, "resample 1; it must be 2 (bilinear) or 3 (bicubic)"),
        ({"resample": [3]}, "resample [3]; it must be 2"),
        ({"size": {"height": 24, "width": 20}}, "size {'height': 24, 'width': 20}; it must be N"),
        ({"size": {"longest_edge": 24}}, "size {'longest_edge': 24}; it must be N"),
        ({"size": {"shortest_edge": 28}}, "size 28 and crop_size 24; they must be equal"),
        ({"crop_size": {"height": 24, "width": 20}}, "crop_size {'height': 24, 'width': 20}"),
        ({"do_center_crop": False}, "do_center_crop is False with size 24"),
        ({"do_normalize": False}, "do_normalize is False"),
        ({"do_convert_rgb": False}, "do_convert_rgb is False"),
        ({"rescale_factor": 1.0}, "rescale_factor 1.0; it must be 1/255"),
        ({"image_mean": [0.5, 0.5]}, "image_mean [0.5, 0.5]; it must be three numbers"),
        ({"image_std": None}, "image_std None; it must be three numbers"),
        ({"image_std": [0.5, 0.0, 0.5]}, "image_std [0.5, 0.0, 0.5]; it must be above 0"),
        ({"feature_extractor_type": "ViTFeatureExtractor"}, "'ViTFeatureExtractor'"),
        (
            {"image_processor_type": "BlipImageProcessor"},
            "image_processor_type 'BlipImageProcessor'; supported are CLIPImageProcessor, "
            "ChineseCLIPImageProcessor, SiglipImageProcessor",
        ),
        ({"do_pad": True}, "do_pad True is not known here"),
    ],
    ids=str,
)
def test_preprocessing_that_is_not_ours_is_refused_by_name(change, message):
    with pytest.raises(UnsupportedPreprocessing) as error:
        parse_preprocessing({**old_preprocessing(24), **change})
    assert message in str(error.value)


def test_preprocessing_that_is_not_ours_is_refused_by_the_command(tmp_path, refused):
    folder = save_old(tmp_path / "old", tiny_clip())
    change_json(folder / "preprocessor_config.json", resample=0)
    assert "has preprocessing that is not supported: resample 0" in refused(folder)


@pytest.mark.parametrize(
    ("config", "resize", "resample"),
    [
        ({}, "crop", "bicubic"),
        ({"resize_mode": "squash", "interpolation": "bilinear"}, "squash", "bilinear"),
        ({"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}, "squash", "bicubic"),
    ],
    ids=["OpenAI's", "squashed", "SigLIP's"],
)
def test_openclips_preprocessing_is_read(config, resize, resample):
    steps = parse_openclip(config, 224)
    assert (steps.size, steps.resize, steps.resample) == (224, resize, resample)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"resize_mode": "longest"}, "resize_mode 'longest'; it must be 'shortest' or 'squash'"),
        ({"interpolation": "random"}, "interpolation 'random'; it must be 'bicubic' or 'bilinear'"),
        ({"mode": "L"}, "mode 'L'; it must be 'RGB'"),
        ({"size": 256}, "size 256; the model's is 224"),
        ({"size": [224, 336]}, "size [224, 336]; the model's is 224"),
    ],
    ids=str,
)
def test_openclips_preprocessing_that_is_not_ours_is_refused(config, message):
    with pytest.raises(UnsupportedPreprocessing) as error:
        parse_openclip(config, 224)
    assert message in str(error.value)

"""OpenCLIP's layout of a CLIP gives what transformers' layout of the same CLIP gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from model_export.errors import BadCheckpoint
from model_export.files import OPENCLIP_CONFIG
from model_export.weights.folder import open_weights
from model_export.weights.named_arrays import check_names
from model_export.weights.openclip import translate
from tests.export.checkpoints import openclip_config, openclip_state


@pytest.fixture
def model() -> CLIPModel:
    """Heads of 64, as in every CLIP of OpenAI's; random weights."""
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=90,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=1,
        max_position_embeddings=12,
        bos_token_id=88,
        eos_token_id=89,
        pad_token_id=0,
    )
    vision = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=24,
        patch_size=8,
    )
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=40
    )
    model = CLIPModel(config)
    for weight in model.parameters():
        weight.data.normal_(std=0.2)
    return model.eval()


def assert_translated(folder: Path, config: dict | None, model: CLIPModel) -> None:
    document, weights = translate(config, open_weights(folder, "FOLDER"), "FOLDER")
    wanted = model.state_dict()
    check_names(weights, {name: tuple(value.shape) for name, value in wanted.items()}, "FOLDER")
    for name, value in wanted.items():
        np.testing.assert_array_equal(weights[name], value.numpy(), strict=True)
    found = CLIPConfig.from_dict(document)
    for part in ("text_config", "vision_config"):
        assert getattr(found, part).to_dict() == getattr(model.config, part).to_dict() | {
            "projection_dim": 40
        }
    assert found.projection_dim == 40


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
@pytest.mark.parametrize("prefix", ["", "text."])
def test_both_files_and_both_homes_of_the_text_tower(tmp_path, model, kind, prefix):
    state = {
        name if name.startswith(("visual.", "logit")) else prefix + name: tensor
        for name, tensor in openclip_state(model).items()
    }
    if kind == "bin":
        torch.save(state, tmp_path / "open_clip_pytorch_model.bin")
    else:
        save_file(state, tmp_path / "open_clip_model.safetensors")
    (tmp_path / OPENCLIP_CONFIG).write_text(json.dumps(openclip_config(model)))
    assert_translated(tmp_path, openclip_config(model), model)


def test_a_state_dict_of_openai_needs_no_configuration(tmp_path, model):
    state = openclip_state(model)
    for name, value in (("input_resolution", 24), ("context_length", 12), ("vocab_size", 90)):
        state[name] = torch.tensor(value)
    torch.save(state, tmp_path / "pytorch_model.bin")
    assert_translated(tmp_path, None, model)


def test_a_logit_scale_of_one_number_in_a_row_is_taken_out(tmp_path, model):
    state = openclip_state(model)
    state["logit_scale"] = state["logit_scale"][None]
    save_file(state, tmp_path / "open_clip_model.safetensors")
    assert_translated(tmp_path, openclip_config(model), model)


def test_what_is_not_known_keeps_its_name(tmp_path, model):
    state = {**openclip_state(model), "logit_bias": torch.zeros(())}
    save_file(state, tmp_path / "open_clip_model.safetensors")
    _, weights = translate(openclip_config(model), open_weights(tmp_path, "FOLDER"), "FOLDER")
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    with pytest.raises(BadCheckpoint, match=r"unexpected: logit_bias$"):
        check_names(weights, shapes, "FOLDER")


def test_other_weights_without_a_configuration_are_refused(tmp_path):
    save_file({"visual.layer1.0.conv1.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(BadCheckpoint, match="neither transformers' nor OpenAI's CLIP with a ViT"):
        translate(None, open_weights(tmp_path, "FOLDER"), "FOLDER")

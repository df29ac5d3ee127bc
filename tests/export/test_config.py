"""config.json is read as transformers' configuration classes read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from transformers import AutoConfig

from model_export.config import FAMILIES, ConfigError, parse_config

TOWER = {
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "mlp_width": "intermediate_size",
    "activation": "hidden_act",
    "norm_eps": "layer_norm_eps",
}
TEXT = {**TOWER, "vocabulary": "vocab_size", "positions": "max_position_embeddings"}
VISION = {**TOWER, "image_size": "image_size", "patch_size": "patch_size"}

DOCUMENTS: dict[str, dict[str, Any]] = {
    **{f"nothing but the family {family}": {"model_type": family} for family in FAMILIES},
    "OpenAI's, 2021": {
        "model_type": "clip",
        "projection_dim": 768,
        "text_config": {"hidden_size": 768, "intermediate_size": 3072, "eos_token_id": 2},
        "text_config_dict": None,
        "vision_config": {"hidden_size": 1024, "num_attention_heads": 16, "patch_size": 14},
        "vision_config_dict": None,
    },
    "LAION's, 2022": {
        "model_type": "clip",
        "projection_dim": 1024,
        "text_config": {"hidden_size": 512, "num_hidden_layers": 11, "layer_norm_eps": 1e-6},
        "text_config_dict": {
            "hidden_act": "gelu",
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
        },
        "vision_config": {"patch_size": 32, "image_size": 336},
        "vision_config_dict": {
            "hidden_act": "gelu",
            "hidden_size": 1280,
            "num_attention_heads": 16,
            "patch_size": 14,
        },
    },
    "a SigLIP of so400m's size": {
        "model_type": "siglip",
        "text_config": {"hidden_size": 1152, "intermediate_size": 4304, "vocab_size": 256000},
        "vision_config": {"hidden_size": 1152, "image_size": 384, "patch_size": 14},
    },
    "a SigLIP 2 with a larger image tower": {
        "model_type": "siglip",
        "text_config": {"hidden_size": 1152, "projection_size": 1536},
        "text_config_dict": {"hidden_size": 96},  # SigLIP never had it
        "vision_config": {"hidden_size": 1536, "num_attention_heads": 16},
    },
    "a Chinese-CLIP": {
        "model_type": "chinese_clip",
        "text_config": {"vocab_size": 21128, "num_hidden_layers": 3},
        "vision_config_dict": {"patch_size": 16},
    },
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_values_are_those_of_transformers(name):
    document = DOCUMENTS[name]
    ours, theirs = parse_config(document), _theirs(document)
    for attribute, key in TEXT.items():
        assert getattr(ours.text, attribute) == getattr(theirs.text_config, key), key
    for attribute, key in VISION.items():
        assert getattr(ours.vision, attribute) == getattr(theirs.vision_config, key), key
    if ours.family == "siglip":
        assert ours.dim == theirs.text_config.projection_size == theirs.vision_config.hidden_size
    else:
        assert ours.dim == theirs.projection_dim


def _theirs(document: dict[str, Any]) -> Any:
    values = json.loads(json.dumps(document))  # transformers changes it
    return AutoConfig.for_model(**values)


@pytest.mark.parametrize(
    ("document", "pooling", "end_id"),
    [
        ({"model_type": "clip"}, "end", 49407),
        ({"model_type": "clip", "text_config": {"eos_token_id": 2}}, "highest", None),
        ({"model_type": "metaclip_2", "text_config": {"eos_token_id": 2}}, "end", 2),
        ({"model_type": "siglip"}, "last", None),
        ({"model_type": "chinese_clip"}, "first", None),
        ({"model_type": "altclip"}, "first", None),
    ],
)
def test_the_token_that_stands_for_a_text(document, pooling, end_id):
    text = parse_config(document).text
    assert (text.pooling, text.end_id) == (pooling, end_id)


def test_positions_of_roberta_begin_behind_the_padding():
    text = parse_config({"model_type": "altclip"}).text
    assert (text.pad_id, text.positions, text.context) == (1, 514, 512)


BAD: dict[str, dict[str, Any]] = {
    "model_type is None; supported are altclip, chinese_clip, clip, metaclip_2, siglip": {},
    "model_type is 'blip'; supported are altclip, chinese_clip, clip, metaclip_2, siglip": {
        "model_type": "blip"
    },
    "model_type is 'siglip2' (NaFlex, pictures of any shape); only a fixed resolution is "
    "supported, such as that of google/siglip2-base-patch16-224": {"model_type": "siglip2"},
    "text_config is [1]; it must be an object": {"text_config": [1]},
    "text_config.hidden_size is '512'; it must be a whole number of at least 1": {
        "text_config": {"hidden_size": "512"}
    },
    "text_config_dict.num_hidden_layers is 0; it must be a whole number of at least 1": {
        "text_config_dict": {"num_hidden_layers": 0}
    },
    "text_config.num_hidden_layers is True; it must be a whole number of at least 1": {
        "text_config": {"num_hidden_layers": True}
    },
    "text_config.num_attention_heads is 7; it must be a divisor of hidden_size, which is 512": {
        "text_config": {"num_attention_heads": 7}
    },
    "text_config.eos_token_id is [1, 2]; it must be a whole number of at least 0": {
        "text_config": {"eos_token_id": [1, 2]}
    },
    "vision_config.hidden_act is 'relu'; it must be one of gelu, gelu_pytorch_tanh, quick_gelu": {
        "vision_config": {"hidden_act": "relu"}
    },
    "vision_config.layer_norm_eps is 1; it must be a number between 0 and 1": {
        "vision_config": {"layer_norm_eps": 1}
    },
    "vision_config.num_channels is 4; it must be 3": {"vision_config": {"num_channels": 4}},
    "vision_config.image_size is 16; it must be a whole number of at least 32": {
        "vision_config": {"image_size": 16}
    },
    "vision_config.image_size is [224, 224]; it must be a whole number of at least 32": {
        "vision_config": {"image_size": [224, 224]}
    },
    "projection_dim is None; it must be a whole number of at least 1": {"projection_dim": None},
    "vision_config.vision_use_head is False; it must be True": {
        "model_type": "siglip",
        "vision_config": {"vision_use_head": False},
    },
    "text vectors have 64 values and image vectors 768 (text_config.projection_size, "
    "vision_config.hidden_size); they must be equal": {
        "model_type": "siglip",
        "text_config": {"projection_size": 64},
    },
    "text_config.max_position_embeddings is 2; it must be a whole number of at least 3": {
        "model_type": "altclip",
        "text_config": {"max_position_embeddings": 2},
    },
}


@pytest.mark.parametrize("message", BAD)
def test_errors_say_the_value_and_what_is_allowed(message):
    document = BAD[message]
    family = {} if not document or message.startswith("model_type") else {"model_type": "clip"}
    with pytest.raises(ConfigError) as error:
        parse_config({**family, **document})
    assert str(error.value) == message

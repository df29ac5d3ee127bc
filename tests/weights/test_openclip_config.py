"""OpenCLIP's settings in the words of transformers, and those that are refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from model_export.errors import BadCheckpoint
from model_export.weights.openclip_config import read_config

# open_clip_config.json of a ViT-B/32
VIT_B32: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 512,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 512,
            "heads": 8,
            "layers": 12,
        },
    },
}


def changed(part: str, **settings: Any) -> dict[str, Any]:
    document = copy.deepcopy(VIT_B32)
    model = document["model_cfg"]
    {"model": model, "vision": model["vision_cfg"], "text": model["text_cfg"]}[part].update(
        settings
    )
    return document


def test_the_sizes_of_vit_b32():
    assert read_config(VIT_B32, "FOLDER") == {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": 512,
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-5,
            "projection_dim": 512,
            "image_size": 224,
            "patch_size": 32,
        },
        "text_config": {
            "model_type": "clip_text_model",
            "hidden_size": 512,
            "intermediate_size": 2048,
            "num_hidden_layers": 12,
            "num_attention_heads": 8,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-5,
            "projection_dim": 512,
            "max_position_embeddings": 77,
            "vocab_size": 49408,
            "bos_token_id": 49406,
            "eos_token_id": 49407,
            "pad_token_id": 0,
        },
    }


def test_gelu_is_the_default_and_heads_and_ratios_are_followed():
    """ViT-bigG has heads of 104 and 8,192 hidden units."""
    document = changed("vision", width=1664, head_width=104, mlp_ratio=4.9231)
    del document["model_cfg"]["quick_gelu"]
    vision = read_config(document, "FOLDER")["vision_config"]
    assert vision["num_attention_heads"] == 16
    assert vision["intermediate_size"] == 8192
    assert vision["hidden_act"] == "gelu"


def test_a_square_in_two_numbers_and_settings_that_are_off_are_known():
    document = changed("vision", image_size=[224, 224], attentional_pool=False, ls_init_value=None)
    assert read_config(document, "FOLDER") == read_config(VIT_B32, "FOLDER")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (changed("vision", timm_model_name="vit_base_patch16_siglip_224"), "take the same model"),
        (changed("vision", timm_model_name="convnext_base"), "image tower of timm ('convnext_b"),
        (changed("vision", layers=[3, 4, 6, 3]), "has a ResNet as image tower"),
        (changed("text", hf_model_name="xlm-roberta-base"), "a text tower of transformers"),
        (changed("model", multimodal_cfg={"width": 512}), "multimodal_cfg {'width': 512}"),
        (changed("model", init_logit_bias=-10), "init_logit_bias -10; supported is false"),
        (changed("vision", pool_type="avg"), "pool_type 'avg'; supported is 'tok'"),
        (changed("text", pool_type="eos"), "pool_type 'eos'; supported is 'argmax'"),
        (changed("text", proj_bias=True), "proj_bias True; supported is false"),
        (changed("text", proj_type="none"), "proj_type 'none'; supported is 'linear'"),
        (changed("text", no_causal_mask=True), "no_causal_mask True"),
        (changed("text", tokenizer_kwargs={"clean": "canonicalize"}), "tokenizer_kwargs {'clean'"),
        (changed("vision", no_ln_pre=True), "no_ln_pre True"),
        (changed("vision", image_size=[224, 336]), "image_size [224, 336]"),
        (changed("vision", width="768"), "width '768'; supported is a whole number above 0"),
        (changed("vision", mlp_ratio=True), "mlp_ratio True"),
        (changed("text", norm_kwargs={"bias": False}), "norm_kwargs {'bias': False}"),
        (changed("model", embed_dim=None), "embed_dim None"),
        (changed("model", vision_cfg=3), "it has no vision_cfg"),
        ({}, "it has no model_cfg"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_transformers_has_not_is_refused_by_name(document, reason):
    with pytest.raises(BadCheckpoint) as caught:
        read_config(document, "FOLDER")
    assert reason in str(caught.value)

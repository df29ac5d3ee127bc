"""The defaults of transformers' configuration classes, by family: what a config.json may leave
out. Every value that the towers need is here, so a key that is missing here is never read."""

from __future__ import annotations

from typing import Any

_CLIP_TEXT: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "eos_token_id": 49407,
}
_BASE: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
_CLIP_VISION: dict[str, Any] = {
    **_BASE,
    "image_size": 224,
    "patch_size": 32,
    "num_channels": 3,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
_SIGLIP = {**_BASE, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}

TEXT: dict[str, dict[str, Any]] = {
    "clip": _CLIP_TEXT,
    "metaclip_2": _CLIP_TEXT,
    "siglip": {
        **_SIGLIP,
        "vocab_size": 32000,
        "max_position_embeddings": 64,
        "projection_size": None,  # hidden_size
    },
    "chinese_clip": {
        **_BASE,
        "vocab_size": 30522,
        "max_position_embeddings": 512,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "type_vocab_size": 2,
    },
    "altclip": {
        "vocab_size": 250002,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "max_position_embeddings": 514,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
        "type_vocab_size": 1,
        "project_dim": 768,
    },
}
VISION: dict[str, dict[str, Any]] = {
    **dict.fromkeys(TEXT, _CLIP_VISION),
    "siglip": {
        **_SIGLIP,
        "image_size": 224,
        "patch_size": 16,
        "num_channels": 3,
        "vision_use_head": True,
    },
}
PROJECTION_DIM: dict[str, int] = {**dict.fromkeys(TEXT, 512), "altclip": 768}

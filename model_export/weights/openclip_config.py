"""open_clip_config.json -> what config.json would say of the model.

What is left out has the value that OpenCLIP gives it. A setting that transformers' CLIP has not
is refused by its name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from model_export.errors import BadCheckpoint

# Says nothing about the vectors of a trained model.
IGNORED = {
    "model": {"custom_text", "init_logit_scale", "nonscalar_logit_scale", "output_dict"},
    "vision": {"patch_dropout", "output_tokens", "pos_embed_type", "attn_pooler_queries",
               "attn_pooler_heads", "timm_pool", "timm_proj", "timm_drop"},
    "text": {"hf_tokenizer_name", "tokenizer_mode", "output_tokens", "pad_id", "eos_id",
             "hf_model_pretrained", "hf_proj_type", "hf_pooler_type"},
}  # fmt: skip
KNOWN = {
    "model": {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg"},
    "vision": {"layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size",
               "norm_kwargs"},
    "text": {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio",
             "norm_kwargs"},
}  # fmt: skip
# The one value of a setting that is supported.
FIXED = {"pool_type": {"vision": "tok", "text": "argmax"}, "proj_type": {"text": "linear"}}


def read_config(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What transformers would have as config.json. BadCheckpoint."""
    model = _object(document, "model_cfg", where)
    vision, text = _object(model, "vision_cfg", where), _object(model, "text_cfg", where)
    _refuse_other_towers(vision, text, where)
    for part, settings in (("model", model), ("vision", vision), ("text", text)):
        _refuse_unknown(settings, part, where)
    dim = _number(model, "embed_dim", None, where)
    width = _number(vision, "width", 768, where)
    words = _number(text, "vocab_size", 49408, where)
    activation = "quick_gelu" if model.get("quick_gelu") else "gelu"
    return {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": dim,
        "vision_config": {
            **_tower(vision, width, dim, activation, where),
            "model_type": "clip_vision_model",
            "num_attention_heads": width // _number(vision, "head_width", 64, where),
            "image_size": _number(vision, "image_size", 224, where),
            "patch_size": _number(vision, "patch_size", 16, where),
        },
        "text_config": {
            **_tower(text, _number(text, "width", 512, where), dim, activation, where),
            "model_type": "clip_text_model",
            "num_attention_heads": _number(text, "heads", 8, where),
            "max_position_embeddings": _number(text, "context_length", 77, where),
            "vocab_size": words,
            # the last two tokens of CLIP's tokenizer; OpenCLIP takes the highest as the end
            "bos_token_id": words - 2,
            "eos_token_id": words - 1,
            "pad_token_id": 0,
        },
    }


def _tower(
    settings: Mapping[str, Any], width: int, dim: int, activation: str, where: str
) -> dict[str, Any]:
    ratio = settings.get("mlp_ratio", 4.0)
    norm = settings.get("norm_kwargs") or {}
    if type(ratio) not in (int, float) or not 0 < ratio < 100:
        raise _unsupported(where, "mlp_ratio", ratio, "a number above 0")
    if (
        not isinstance(norm, Mapping)
        or norm.keys() - {"eps"}
        or type(norm.get("eps", 0.0)) is not float
    ):
        raise _unsupported(where, "norm_kwargs", norm, '{"eps": NUMBER}')
    return {
        "hidden_size": width,
        "intermediate_size": int(width * ratio),
        "num_hidden_layers": _number(settings, "layers", 12, where),
        "hidden_act": activation,
        "layer_norm_eps": norm.get("eps", 1e-5),
        "projection_dim": dim,
    }


def _refuse_other_towers(vision: Mapping[str, Any], text: Mapping[str, Any], where: str) -> None:
    if name := text.get("hf_model_name"):
        raise BadCheckpoint(
            where, f"has a text tower of transformers ({name!a}); OpenCLIP's own is supported"
        )
    if name := vision.get("timm_model_name"):
        advice = (
            "take the same model from google/siglip-… or google/siglip2-… instead"
            if "siglip" in str(name)
            else "OpenCLIP's own vision transformers are supported"
        )
        raise BadCheckpoint(where, f"has an image tower of timm ({name!a}); {advice}")
    if isinstance(vision.get("layers"), list):
        raise BadCheckpoint(where, "has a ResNet as image tower; vision transformers are supported")


def _refuse_unknown(settings: Mapping[str, Any], part: str, where: str) -> None:
    known: Collection[str] = KNOWN[part] | IGNORED[part]
    for name, value in settings.items():
        wanted = FIXED.get(name, {}).get(part)
        # None, False and 0 turn a setting off
        if name not in known and value and value != wanted:
            raise _unsupported(where, name, value, repr(wanted) if wanted else "false")


def _number(settings: Mapping[str, Any], name: str, default: int | None, where: str) -> int:
    value = settings.get(name, default)
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        value = value[0]  # a square
    if type(value) is not int or not 0 < value < 1 << 24:
        raise _unsupported(where, name, value, "a whole number above 0")
    return value


def _object(document: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = document.get(name)
    if not isinstance(value, Mapping):
        raise BadCheckpoint(where, f"has a damaged open_clip_config.json: it has no {name}")
    return value


def _unsupported(where: str, name: str, value: object, allowed: str) -> BadCheckpoint:
    shown = repr(value)[:80]
    return BadCheckpoint(
        where, f"has an open_clip_config.json with {name} {shown}; supported is {allowed}"
    )

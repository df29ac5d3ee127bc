"""What is published about the known checkpoints: size, languages, licence, recall.

Each figure is from one of SOURCES. None: no source was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SOURCES = {
    "OpenCLIP": (
        "https://github.com/mlfoundations/open_clip/blob/main/docs/openclip_retrieval_results.csv"
    ),
    "SigLIP 2": (
        "https://github.com/google-research/big_vision/blob/main/big_vision/configs/proj/image_text/"
        "README_siglip2.md"
    ),
    "SigLIP 2, table 1": "https://arxiv.org/abs/2502.14786",
    "MetaCLIP 2, table 1": "https://arxiv.org/abs/2507.22062",
}


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall at k of photos for a caption, in percent: `at_1`, `at_5`. `source`: a key of
    SOURCES."""

    source: str
    at_1: float
    at_5: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """`config`: what its config.json says besides the defaults (config_defaults.py). `coco`:
    English captions of COCO; `xm3600`: the mean over the 36 languages of Crossmodal-3600."""

    languages: str
    licence: str
    config: Mapping[str, Any]
    coco: Recall | None = None
    xm3600: Recall | None = None


_PATCH_16 = {"patch_size": 16}
_LARGE_14 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
}
_SO400M = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
}
_GEMMA = {"vocab_size": 256_000}


def _clip(text: Mapping[str, Any], vision: Mapping[str, Any], dim: int = 512) -> dict[str, Any]:
    towers = {"text_config": text, "vision_config": vision}
    return {"model_type": "clip", "projection_dim": dim, **towers}


def _clip_l(**vision: Any) -> dict[str, Any]:
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
    return _clip(text, {**_LARGE_14, **vision}, 768)


def _siglip(text: Mapping[str, Any], vision: Mapping[str, Any]) -> dict[str, Any]:
    return {"model_type": "siglip", "text_config": text, "vision_config": vision}


_B32_OPENAI = Recall("OpenCLIP", 30.4, 55.9)

FACTS = {
    "openai/clip-vit-base-patch32": Facts("English", "MIT", _clip({}, {}), _B32_OPENAI),
    "openai/clip-vit-base-patch16": Facts(
        "English", "MIT", _clip({}, _PATCH_16), Recall("OpenCLIP", 33.1, 58.4)
    ),
    "openai/clip-vit-large-patch14": Facts(
        "English", "MIT", _clip_l(), Recall("OpenCLIP", 36.5, 61.1)
    ),
    "openai/clip-vit-large-patch14-336": Facts(
        "English", "MIT", _clip_l(image_size=336), Recall("OpenCLIP", 37.1, 61.6)
    ),
    "timm/vit_base_patch32_clip_224.openai": Facts(
        "English", "Apache-2.0", _clip({}, {}), _B32_OPENAI
    ),
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": Facts(
        "English",
        "MIT",
        _clip({"hidden_act": "gelu"}, {"hidden_act": "gelu"}),
        Recall("OpenCLIP", 39.3, 65.4),
    ),
    "google/siglip-base-patch16-224": Facts(
        "English",
        "Apache-2.0",
        _siglip({}, {}),
        Recall("OpenCLIP", 47.8, 72.4),
        Recall("SigLIP 2, table 1", 22.4),
    ),
    "google/siglip-base-patch16-256-multilingual": Facts(
        "more than 100",
        "Apache-2.0",
        _siglip({"vocab_size": 250_000}, {"image_size": 256}),
        Recall("OpenCLIP", 44.9, 69.5),
        Recall("MetaCLIP 2, table 1", 44.5),
    ),
    "google/siglip2-base-patch32-256": Facts(
        "109",
        "Apache-2.0",
        _siglip(_GEMMA, {"image_size": 256, "patch_size": 32}),
        Recall("SigLIP 2", 47.2),
        Recall("SigLIP 2, table 1", 38.3),
    ),
    "google/siglip2-base-patch16-224": Facts(
        "109",
        "Apache-2.0",
        _siglip(_GEMMA, {}),
        Recall("SigLIP 2", 52.1),
        Recall("SigLIP 2, table 1", 40.3),
    ),
    "google/siglip2-so400m-patch14-384": Facts(
        "109",
        "Apache-2.0",
        _siglip(
            {**_SO400M, **_GEMMA, "projection_size": 1152},
            {**_SO400M, "image_size": 384, "patch_size": 14},
        ),
        Recall("SigLIP 2", 55.8),
        Recall("SigLIP 2, table 1", 48.4),
    ),
    "facebook/metaclip-2-worldwide-b32": Facts(
        "more than 300",
        "CC-BY-NC-4.0",
        {
            "model_type": "metaclip_2",
            "text_config": {"vocab_size": 901_629, "eos_token_id": 2},
        },
    ),
    "OFA-Sys/chinese-clip-vit-base-patch16": Facts(
        "Chinese",
        "MIT",
        {
            "model_type": "chinese_clip",
            "text_config": {"vocab_size": 21_128},
            "vision_config": _PATCH_16,
        },
    ),
    "BAAI/AltCLIP": Facts(
        "Chinese, English",
        "CreativeML OpenRAIL-M",
        {"model_type": "altclip", "vision_config": _LARGE_14},
    ),
}

# The use, the id, and why.
RECOMMENDED = {
    "small functions": (
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        "as small and quick as the default, with a better recall",
    ),
    "quality": (
        "google/siglip2-base-patch16-224",
        "the best recall of the models with a small image tower",
    ),
    "other languages": (
        "google/siglip-base-patch16-256-multilingual",
        "the best recall over 36 languages of the models with a small image tower",
    ),
}

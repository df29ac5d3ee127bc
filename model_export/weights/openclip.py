"""OpenCLIP's names of arrays, which are those of OpenAI's own code -> the names of transformers.

Differences besides the names: OpenCLIP keeps the matrices of query, key and value as one, and
multiplies with its two projections from the other side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from model_export.errors import BadCheckpoint
from model_export.weights.named_arrays import Array, Stored, Weights
from model_export.weights.openclip_config import read_config

# Numbers that describe the model, and a mask that follows from its size.
IGNORED = {"input_resolution", "context_length", "vocab_size", "attn_mask"}

PROJECTIONS = {"text_projection": "text_projection", "visual.proj": "visual_projection"}
NAMES = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
}
LAYER_NORMS = {
    "ln_final": "text_model.final_layer_norm",
    "visual.ln_pre": "vision_model.pre_layrnorm",  # transformers spells it so
    "visual.ln_post": "vision_model.post_layernorm",
}
BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)")
PARTS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
FUSED = {"attn.in_proj_weight": "weight", "attn.in_proj_bias": "bias"}


def translate(
    config: Mapping[str, Any] | None, weights: Weights, where: str
) -> tuple[dict[str, Any], Weights]:
    """What transformers would have as config.json and as names, still unread.

    `config` is open_clip_config.json; None for a state_dict of OpenAI's own, whose sizes follow
    from its arrays. Names that are not known stay as they are. BadCheckpoint if the model is not
    one that transformers calls CLIP.
    """
    named = _without_prefix(weights)
    document = read_config(config or {"model_cfg": _openai_config(named, where)}, where)
    arrays: dict[str, Stored] = {}
    for name, stored in named.items():
        arrays |= _translate(name, stored)
    return document, Weights(arrays)


def _without_prefix(weights: Weights) -> dict[str, Stored]:
    """CustomTextCLIP has the text tower in `text.`, CLIP at the top."""
    return {
        short: weights.stored(name)
        for name in weights
        if (short := name.removeprefix("text.")) not in IGNORED
    }


def _translate(name: str, stored: Stored) -> Iterator[tuple[str, Stored]]:
    if name in NAMES:
        yield NAMES[name], stored
    elif name in PROJECTIONS and len(stored.shape) == 2:
        shape = stored.shape[::-1]
        yield f"{PROJECTIONS[name]}.weight", Stored(shape, lambda: _turned(stored.read()))
    elif name == "logit_scale" and stored.shape == (1,):
        yield name, Stored((), lambda: stored.read().reshape(()))
    elif match := BLOCK.fullmatch(name):
        tower = "vision_model" if match[1] else "text_model"
        yield from _translate_block(f"{tower}.encoder.layers.{match[2]}", match[3], stored, name)
    else:
        module, _, kind = name.rpartition(".")
        yield (f"{LAYER_NORMS[module]}.{kind}" if module in LAYER_NORMS else name), stored


def _translate_block(
    layer: str, part: str, stored: Stored, name: str
) -> Iterator[tuple[str, Stored]]:
    module, _, kind = part.rpartition(".")
    if module in PARTS:
        yield f"{layer}.{PARTS[module]}.{kind}", stored
    elif part in FUSED and stored.shape and stored.shape[0] % 3 == 0:
        width = stored.shape[0] // 3
        for index, letter in enumerate("qkv"):
            yield (
                f"{layer}.self_attn.{letter}_proj.{FUSED[part]}",
                _rows(stored, index * width, width),
            )
    else:
        yield name, stored


def _rows(stored: Stored, first: int, count: int) -> Stored:
    def read() -> Array:
        return stored.read()[first : first + count].copy()  # frees the other two thirds

    return Stored((count, *stored.shape[1:]), read)


def _turned(matrix: Array) -> Array:
    return np.ascontiguousarray(matrix.T)


def _openai_config(named: Mapping[str, Stored], where: str) -> dict[str, Any]:
    """As OpenAI's own code finds the sizes; all its heads are 64 wide."""
    try:
        width, _, patch, _ = named["visual.conv1.weight"].shape
        positions, _ = named["visual.positional_embedding"].shape
        vocabulary, text_width = named["token_embedding.weight"].shape
        context, _ = named["positional_embedding"].shape
        _, dim = named["text_projection"].shape
    except (KeyError, ValueError) as exc:
        raise BadCheckpoint(
            where, "has weights that are neither transformers' nor OpenAI's CLIP with a ViT"
        ) from exc
    blocks = [match for name in named if (match := BLOCK.fullmatch(name))]
    return {
        "embed_dim": dim,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": patch * math.isqrt(max(positions - 1, 0)),
            "layers": len({match[2] for match in blocks if match[1]}),
            "width": width,
            "patch_size": patch,
        },
        "text_cfg": {
            "context_length": context,
            "vocab_size": vocabulary,
            "width": text_width,
            "heads": text_width // 64,
            "layers": len({match[2] for match in blocks if not match[1]}),
        },
    }

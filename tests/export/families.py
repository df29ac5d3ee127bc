"""Tiny models of every family with random weights, and inputs for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPModel,
    MetaClip2Config,
    MetaClip2Model,
    PreTrainedModel,
    SiglipConfig,
    SiglipModel,
)

VOCABULARY = 300
TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 20,
    "bos_token_id": 0,
}
VISION: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 144,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 24,
    "patch_size": 8,
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """How a family's tokenizer lays out a text: numbers of its tokens, and the context."""

    start: int | None
    end: int
    pad: int
    context: int = 20


TOKENS = {
    "clip": Tokens(VOCABULARY - 2, VOCABULARY - 1, VOCABULARY - 1),
    "metaclip_2": Tokens(0, 2, 1),
    "siglip": Tokens(None, 1, 1),
    "chinese_clip": Tokens(101, 102, 0),
    "altclip": Tokens(0, 2, 1),
}


def tiny_clip(act: str = "quick_gelu", **text: Any) -> CLIPModel:
    text = {**_tokens("clip"), "hidden_act": act, **text}
    return _model(CLIPModel, CLIPConfig, text, {"hidden_act": act}, projection_dim=40)


def tiny_metaclip_2(act: str = "quick_gelu", **text: Any) -> MetaClip2Model:
    text = {**_tokens("metaclip_2"), "hidden_act": act, **text}
    return _model(MetaClip2Model, MetaClip2Config, text, {"hidden_act": act}, projection_dim=40)


def tiny_siglip(
    act: str = "gelu_pytorch_tanh", vocab_size: int = VOCABULARY, **vision: Any
) -> SiglipModel:
    size = {"vocab_size": vocab_size, "projection_size": VISION["hidden_size"]}
    text = {**_tokens("siglip"), "hidden_act": act, **size}
    return _model(SiglipModel, SiglipConfig, text, {"hidden_act": act, **vision})


def tiny_chinese_clip(act: str = "gelu", **text: Any) -> ChineseCLIPModel:
    text = {**_tokens("chinese_clip"), "hidden_act": act, "layer_norm_eps": 1e-12, **text}
    return _model(ChineseCLIPModel, ChineseCLIPConfig, text, {}, projection_dim=40)


def tiny_altclip(act: str = "gelu", **text: Any) -> AltCLIPModel:
    tokens = {**_tokens("altclip"), "max_position_embeddings": 22, "project_dim": 36}
    text = {**tokens, "hidden_act": act, **text}
    return _model(AltCLIPModel, AltCLIPConfig, text, {}, projection_dim=40)


TINY: dict[str, Callable[..., PreTrainedModel]] = {
    "clip": tiny_clip,
    "metaclip_2": tiny_metaclip_2,
    "siglip": tiny_siglip,
    "chinese_clip": tiny_chinese_clip,
    "altclip": tiny_altclip,
}


def _tokens(family: str) -> dict[str, int]:
    tokens = TOKENS[family]
    return {"eos_token_id": tokens.end, "pad_token_id": tokens.pad}


def _model(
    model: type[PreTrainedModel], config: type, text: dict, vision: dict, **more: Any
) -> PreTrainedModel:
    torch.manual_seed(0)
    towers = {"text_config": {**TEXT, **text}, "vision_config": {**VISION, **vision}}
    return lively(model(config(**towers, **more)))


def lively(model: PreTrainedModel) -> PreTrainedModel:
    """Fresh weights give nearly the same vector whatever the input, and would hide a fault."""
    norms = {id(module) for module in model.modules() if isinstance(module, torch.nn.LayerNorm)}
    with torch.no_grad():
        for module in model.modules():
            for name, weight in module.named_parameters(recurse=False):
                if weight.dim() > 1:
                    weight.normal_(std=1.5 * weight.shape[-1] ** -0.5)
                elif id(module) in norms and name == "weight":
                    weight.uniform_(0.5, 1.5)
                elif weight.numel() > 1:
                    weight.normal_(std=0.2)
    return model.eval()


def checkpoint(model: PreTrainedModel) -> tuple[dict, dict[str, np.ndarray]]:
    """The object in its config.json, and its arrays by their names in transformers."""
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return json.loads(model.config.to_json_string()), weights


def token_rows(family: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(N, context) ids and their mask: texts of every length, the empty one too, padded."""
    rng, tokens = np.random.default_rng(seed), TOKENS[family]
    starts = [] if tokens.start is None else [tokens.start]
    most = tokens.context - len(starts) - 1
    rows, mask = [], []
    for length in range(most + 1):
        row = [*starts, *rng.integers(103, VOCABULARY - 2, length), tokens.end]
        padding = tokens.context - len(row)
        rows.append(row + [tokens.pad] * padding)
        mask.append([1] * len(row) + [0] * padding)
    return np.array(rows), np.array(mask)


def pictures(model: PreTrainedModel, count: int = 5) -> np.ndarray:
    """(count, 3, S, S) float32, as after normalising."""
    size = model.config.vision_config.image_size
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 3, size, size)).astype(np.float32)

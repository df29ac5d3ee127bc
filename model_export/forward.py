"""The towers of CLIP and its relatives in plain numpy: what an exported model is checked against.

Written from the papers, one function for each part. Only verification uses it, and it shares no
code with the writer of the graphs. Weights have the names of transformers' state_dict; files of
AltCLIP have `encoder.layer` there instead of `encoder.layers`.

    transformer    Vaswani et al. 2017, arXiv:1706.03762
    CLIP           Radford et al. 2021, arXiv:2103.00020; MetaCLIP 2: arXiv:2507.22062
    SigLIP         Zhai et al. 2023, arXiv:2303.15343; SigLIP 2: arXiv:2502.14786
    Chinese-CLIP   Yang et al. 2022, arXiv:2211.01335, whose text tower is BERT, arXiv:1810.04805
    AltCLIP        Chen et al. 2022, arXiv:2211.06679, whose text tower is XLM-RoBERTa

Shapes: N samples, T tokens, W the width of a tower, H heads, D the length of a vector.
"""

# numpy's types make arithmetic on arrays Any.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from model_export.config import ModelConfig, TextConfig, TowerConfig, VisionConfig, parse_config

Weights: TypeAlias = Mapping[str, np.ndarray]

TOKENS = 512  # at once: bounds the memory of attention and of hidden units
NEVER = np.float32(-1e30)  # a score that leaves no weight; -inf would make a row of nan


def text_features(
    config: Mapping[str, Any], weights: Weights, ids: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Vectors (N, D) float32 of length 1 for `ids` (N, T) int64.

    `config` is the object in config.json; `weights` are float32. `mask` (N, T) is 0 at padding;
    without it padding counts as any other token. ConfigError; ValueError for ids that the model
    does not have; KeyError for a missing weight.
    """
    model = parse_config(config)
    _check_ids(model.text, ids)
    seen = np.ones(ids.shape, bool) if mask is None else mask.astype(bool)
    tower = _bert_text if model.family in ("chinese_clip", "altclip") else _clip_text
    parts = _parts(len(ids), ids.shape[1])
    return _unit(np.concatenate([tower(model, weights, ids[part], seen[part]) for part in parts]))


def image_features(config: Mapping[str, Any], weights: Weights, pixels: np.ndarray) -> np.ndarray:
    """Vectors (N, D) float32 of length 1 for normalised `pixels` (N, 3, S, S) float32.

    `config` and `weights` as for text_features. ConfigError; ValueError for pictures of another
    size; KeyError for a missing weight.
    """
    model = parse_config(config)
    size = model.vision.image_size
    if pixels.shape[1:] != (3, size, size):
        raise ValueError(f"pixels have shape {pixels.shape}; it must be (N, 3, {size}, {size})")
    parts = _parts(len(pixels), model.vision.side**2)
    return _unit(np.concatenate([_image(model, weights, pixels[part]) for part in parts]))


def _parts(count: int, tokens: int) -> Iterator[slice]:
    step = max(1, TOKENS // tokens)
    return (slice(start, start + step) for start in range(0, count, step))


def _check_ids(text: TextConfig, ids: np.ndarray) -> None:
    if ids.ndim != 2 or not 1 <= ids.shape[1] <= text.context:
        raise ValueError(f"ids have shape {ids.shape}; it must be (N, 1 to {text.context})")
    least, most = ids.min(initial=0), ids.max(initial=0)
    if least < 0 or most >= text.vocabulary:
        raise ValueError(f"ids are {least} to {most}; they must be 0 to {text.vocabulary - 1}")


def _clip_text(model: ModelConfig, w: Weights, ids: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N, T) -> (N, D). CLIP and MetaCLIP 2 are causal and read the end token; SigLIP sees both
    ways and reads the last token, which is mostly padding."""
    c, name = model.text, "text_model"
    siglip = model.family == "siglip"
    positions = w[f"{name}.embeddings.position_embedding.weight"][: ids.shape[1]]
    x = w[f"{name}.embeddings.token_embedding.weight"][ids] + positions
    allowed = seen[:, None, None, :]  # (N, heads, from, to)
    if not siglip:
        allowed = allowed & np.tri(ids.shape[1], dtype=bool)
    for number in range(c.layers):
        x = _layer(c, w, f"{name}.encoder.layers.{number}", x, allowed)
    x = _norm(w, f"{name}.final_layer_norm", x, c.norm_eps)
    x = x[np.arange(len(ids)), _pooled(c, ids)]
    return _linear(w, f"{name}.head", x) if siglip else x @ w["text_projection.weight"].T


def _pooled(c: TextConfig, ids: np.ndarray) -> np.ndarray | int:
    """The position (N,) of the token that stands for the text."""
    if c.pooling == "end":
        return np.argmax(ids == c.end_id, 1)
    return {"highest": np.argmax(ids, 1), "last": ids.shape[1] - 1, "first": 0}[c.pooling]


def _bert_text(model: ModelConfig, w: Weights, ids: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N, T) -> (N, D). The first token, [CLS] or <s>, stands for the text."""
    c, alt = model.text, model.family == "altclip"
    name, layers = ("text_model.roberta", "layers") if alt else ("text_model", "layer")
    x = w[f"{name}.embeddings.word_embeddings.weight"][ids]
    x = x + w[f"{name}.embeddings.token_type_embeddings.weight"][0]
    x = x + w[f"{name}.embeddings.position_embeddings.weight"][_bert_positions(c, ids)]
    x = _norm(w, f"{name}.embeddings.LayerNorm", x, c.norm_eps)
    for number in range(c.layers):
        x = _bert_layer(c, w, f"{name}.encoder.{layers}.{number}", x, seen[:, None, None, :])
    x = x[:, _pooled(c, ids)]
    if alt:  # to the width of the teacher, whose text projection follows
        x = _linear(w, "text_model.transformation", _norm(w, "text_model.pre_LN", x, c.norm_eps))
    return x @ w["text_projection.weight"].T


def _bert_positions(c: TextConfig, ids: np.ndarray) -> np.ndarray:
    """(T,), or in RoBERTa (N, T): padding has its own position and is not counted."""
    if not c.skipped:
        return np.arange(ids.shape[1])
    real = ids != c.pad_id
    return np.cumsum(real, 1) * real + c.skipped - 1


def _image(model: ModelConfig, w: Weights, pixels: np.ndarray) -> np.ndarray:
    """(N, 3, S, S) -> (N, D). A class token stands for the picture, or in SigLIP what a probe
    finds in the patches."""
    c, name = model.vision, "vision_model"
    kernel = w[f"{name}.embeddings.patch_embedding.weight"]  # (W, 3, patch, patch)
    x = (_patches(c, pixels) @ kernel.reshape(c.width, -1).T).reshape(len(pixels), -1, c.width)
    if c.probe:
        x = x + w[f"{name}.embeddings.patch_embedding.bias"]
    else:
        first = np.tile(w[f"{name}.embeddings.class_embedding"], (len(x), 1, 1))
        x = np.concatenate([first, x], 1)
    x = x + w[f"{name}.embeddings.position_embedding.weight"]
    if not c.probe:
        x = _norm(w, f"{name}.pre_layrnorm", x, c.norm_eps)  # as transformers spells it
    for number in range(c.layers):
        x = _layer(c, w, f"{name}.encoder.layers.{number}", x)
    if c.probe:
        return _probe(c, w, f"{name}.head", _norm(w, f"{name}.post_layernorm", x, c.norm_eps))
    x = _norm(w, f"{name}.post_layernorm", x[:, 0], c.norm_eps)
    return x @ w["visual_projection.weight"].T


def _patches(c: VisionConfig, pixels: np.ndarray) -> np.ndarray:
    """(N * side * side, 3 * patch * patch): a row for each patch, from left to right."""
    side, patch = c.side, c.patch_size
    x = pixels[:, :, : side * patch, : side * patch]
    x = x.reshape(-1, 3, side, patch, side, patch).transpose(0, 2, 4, 1, 3, 5)
    return x.reshape(-1, 3 * patch * patch)


def _probe(c: VisionConfig, w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """Pooling by attention (Lee et al. 2019, arXiv:1810.00825): a learnt query, the patches as
    keys and values, and an MLP. (N, T, W) -> (N, W)."""
    query = np.tile(w[f"{name}.probe"], (len(x), 1, 1))
    matrices = np.split(w[f"{name}.attention.in_proj_weight"], 3)
    biases = np.split(w[f"{name}.attention.in_proj_bias"], 3)
    q, k, v = (
        tokens @ matrix.T + bias
        for tokens, matrix, bias in zip((query, x, x), matrices, biases, strict=True)
    )
    x = _linear(w, f"{name}.attention.out_proj", _attention(q, k, v, c.heads))[:, 0]
    return x + _mlp(c, w, f"{name}.mlp", _norm(w, f"{name}.layernorm", x, c.norm_eps))


def _layer(
    c: TowerConfig, w: Weights, name: str, x: np.ndarray, allowed: np.ndarray | None = None
) -> np.ndarray:
    """LayerNorm comes first in each half, as in GPT-2 and ViT. (N, T, W) -> (N, T, W); `allowed`,
    which broadcasts to (N, H, T, T), says which token may look at which."""
    h = _norm(w, f"{name}.layer_norm1", x, c.norm_eps)
    q, k, v = (_linear(w, f"{name}.self_attn.{part}_proj", h) for part in "qkv")
    x = x + _linear(w, f"{name}.self_attn.out_proj", _attention(q, k, v, c.heads, allowed))
    return x + _mlp(c, w, f"{name}.mlp", _norm(w, f"{name}.layer_norm2", x, c.norm_eps))


def _mlp(c: TowerConfig, w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return _linear(w, f"{name}.fc2", ACTIVATIONS[c.activation](_linear(w, f"{name}.fc1", x)))


def _bert_layer(
    c: TowerConfig, w: Weights, name: str, x: np.ndarray, allowed: np.ndarray
) -> np.ndarray:
    """LayerNorm comes last in each half, as in the first transformer."""
    q, k, v = (_linear(w, f"{name}.attention.self.{p}", x) for p in ("query", "key", "value"))
    h = _linear(w, f"{name}.attention.output.dense", _attention(q, k, v, c.heads, allowed))
    x = _norm(w, f"{name}.attention.output.LayerNorm", x + h, c.norm_eps)
    h = ACTIVATIONS[c.activation](_linear(w, f"{name}.intermediate.dense", x))
    h = _linear(w, f"{name}.output.dense", h)
    return _norm(w, f"{name}.output.LayerNorm", x + h, c.norm_eps)


def _attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int, allowed: np.ndarray | None = None
) -> np.ndarray:
    """softmax(q kᵀ / √size) v in each head; `q` may have fewer tokens than `k` and `v`."""
    q, k, v = (x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3) for x in (q, k, v))
    scores = q @ k.transpose(0, 1, 3, 2) / np.float32(np.sqrt(q.shape[-1]))
    if allowed is not None:
        scores = np.where(allowed, scores, NEVER)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    return (scores @ v).transpose(0, 2, 1, 3).reshape(len(q), q.shape[2], -1)


def _linear(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    rows = x.reshape(-1, x.shape[-1])  # one large product instead of N small ones
    y = rows @ w[f"{name}.weight"].T + w[f"{name}.bias"]
    return y.reshape(*x.shape[:-1], -1)


def _norm(w: Weights, name: str, x: np.ndarray, eps: float) -> np.ndarray:
    """LayerNorm; sums in float64, as real CLIPs have channels 100 times larger than the rest."""
    centred = x - x.mean(-1, keepdims=True, dtype=np.float64)
    scale = np.sqrt(np.square(centred).mean(-1, keepdims=True) + eps)
    return (centred / scale).astype(np.float32) * w[f"{name}.weight"] + w[f"{name}.bias"]


def _unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x.astype(np.float64), axis=-1, keepdims=True)).astype(np.float32)


def _gelu(x: np.ndarray) -> np.ndarray:
    """x Φ(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415). numpy has no erf; this one, 7.1.26 in
    Abramowitz and Stegun, is right to 1.5e-7."""
    z = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.zeros_like(x)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    erf = np.copysign(1 - series * np.exp(-z * z), x)
    return x * (1 + erf) / 2


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    """Its approximation in the same paper."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x * x * x)
    return x * (1 + np.tanh(inner)) / 2


def _quick_gelu(x: np.ndarray) -> np.ndarray:
    """x / (1 + exp(-1.702 x)), written with tanh, which cannot overflow."""
    return x * (1 + np.tanh(np.float32(0.851) * x)) / 2


ACTIVATIONS = {"gelu": _gelu, "gelu_pytorch_tanh": _gelu_tanh, "quick_gelu": _quick_gelu}

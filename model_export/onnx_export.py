"""CLIP's two towers as ONNX graphs, from the weights of a transformers CLIPModel.

    image.onnx  pixels uint8 (N, S, S, 3) RGB         -> embedding float32 (N, D), length 1
    text.onnx   input_ids int64 (N, T), T <= context  -> embedding float32 (N, D), length 1

The numbers are those of transformers' modules; done differently: normalising the pixels is
folded into the patch embedding, an attention's three projections are one matrix, the last
image layer computes only the class token, which is all that is read of it, and a text's start
token, the same in every text, has been computed here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import TensorProto
from transformers import CLIPModel

from clipsearch.model.manifest import Precision
from model_export.graph import MICROSOFT, Graph
from model_export.linear import linear, linear_on_bytes, table

END = 2**31 - 1  # of a slice: as far as it goes


class UnsupportedModel(ValueError):
    """The model or its tokenizer is not one that this export can write."""


def export_image(
    model: CLIPModel,
    path: Path,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    precision: Precision,
) -> None:
    """Write image.onnx and image.onnx.data. Only the batch may vary."""
    vision, config = model.vision_model, model.config.vision_config
    size, patch, width = config.image_size, config.patch_size, config.hidden_size
    side = size // patch
    g = Graph("image")
    # (N, S, S, 3) -> (N, side * side, patch * patch * 3): a row for each patch
    x = g.add("Reshape", "pixels", g.ints(-1, side, patch, side, patch * 3))
    x = g.add("Transpose", x, perm=[0, 1, 3, 2, 4])
    x = g.add("Reshape", x, g.ints(-1, side * side, patch * patch * 3))
    kernel, bias = _patch_kernel(_array(vision.embeddings.patch_embedding.weight), mean, std)
    x = linear_on_bytes(g, "patches", x, kernel, bias, precision)

    positions = _array(vision.embeddings.position_embedding.weight)
    x = g.add("Add", x, g.weight("positions", positions[1:]))
    first = positions[:1] + _array(vision.embeddings.class_embedding)
    shape = g.add("Concat", g.add("Shape", "pixels", end=1), g.ints(1, width), axis=0)
    first = g.add("Expand", g.weight("class", first[None]), shape)
    x = _norm(g, "pre", g.add("Concat", first, x, axis=1), vision.pre_layrnorm)
    *layers, last = vision.encoder.layers
    for number, layer in enumerate(layers):
        x = _layer(g, f"{number}", x, x, layer, precision)
    first = g.add("Slice", x, g.ints(0), g.ints(1), g.ints(1))  # (N, 1, width): the class token
    first = _layer(g, "last", first, x, last, precision)
    x = g.add("Squeeze", first, g.ints(1))
    _finish(g, _norm(g, "post", x, vision.post_layernorm), model.visual_projection)
    g.save(
        path,
        {"pixels": (TensorProto.UINT8, ["N", size, size, 3])},
        {"embedding": ["N", model.config.projection_dim]},
    )


def export_text(
    model: CLIPModel, path: Path, start_token: int, end_token: int, precision: Precision
) -> None:
    """Write text.onnx and text.onnx.data. Batch and length may vary."""
    text = model.text_model
    g = Graph("text")
    ids = g.add("Slice", "input_ids", g.ints(1), g.ints(END), g.ints(1))
    x = table(g, "tokens", _array(text.embeddings.token_embedding.weight), ids, precision)
    positions = g.weight("positions", _array(text.embeddings.position_embedding.weight))
    length = g.add("Shape", "input_ids", start=1)
    x = g.add("Add", x, g.add("Slice", positions, g.ints(1), length, g.ints(0)))
    pasts = _starts(g, text, start_token)
    for number, layer in enumerate(text.encoder.layers):
        x = _layer(g, f"{number}", x, x, layer, precision, pasts[2 * number : 2 * number + 2])
    # A text ends at the first end token: what is after it is padding.
    ends = g.add("Equal", ids, g.scalar(end_token, np.int64))
    ends = g.add("ArgMax", g.add("Cast", ends, to=TensorProto.INT32), axis=1, keepdims=1)
    x = g.add("GatherND", x, ends, batch_dims=1)  # (N, width)
    _finish(g, _norm(g, "final", x, text.final_layer_norm), model.text_projection)
    g.save(
        path,
        {"input_ids": (TensorProto.INT64, ["N", "T"])},
        {"embedding": ["N", model.config.projection_dim]},
    )


@torch.no_grad()
def _starts(g: Graph, text: Any, token: int) -> list[str]:
    """Of the start token the key and value (N, heads, 1, size) in each layer, which are those
    of every text: the tower is causal, so that the first token sees nothing but itself."""
    embeddings = text.embeddings
    x = embeddings.token_embedding.weight[token] + embeddings.position_embedding.weight[0]
    x, found = x.double(), []  # in float64, so that every processor rounds to the same bytes
    for layer in (copy.deepcopy(layer).double() for layer in text.encoder.layers):
        h, attention = layer.layer_norm1(x), layer.self_attn
        value = attention.v_proj(h)
        found += [attention.k_proj(h), value]
        x = x + attention.out_proj(value)
        x = x + layer.mlp(layer.layer_norm2(x))
    heads = text.config.num_attention_heads
    values = _array(torch.stack(found)).reshape(1, len(found) * heads, 1, -1)
    count = g.add("Shape", "input_ids", end=1)
    shape = g.add("Concat", count, g.ints(*values.shape[1:]), axis=0)
    every = g.add("Expand", g.weight("start", values), shape)
    return g.add_many("Split", every, outputs=len(found), axis=1, num_outputs=len(found))


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().to("cpu", torch.float32))


def _patch_kernel(
    kernel: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """A convolution (width, 3, patch, patch) of normalised pixels, as a matrix
    (patch * patch * 3, width) and a bias (width,) for pixels of 0 to 255."""
    rows = kernel.transpose(2, 3, 1, 0).astype(np.float64)  # (patch, patch, 3, width)
    bias = -np.einsum("yxcw,c->w", rows, np.divide(mean, std))
    rows /= 255 * np.array(std)[:, None]
    return rows.reshape(-1, rows.shape[3]).astype(np.float32), bias.astype(np.float32)


def _norm(g: Graph, name: str, x: str, norm: torch.nn.LayerNorm) -> str:
    scale = g.weight(f"{name}.scale", _array(norm.weight))
    bias = g.weight(f"{name}.bias", _array(norm.bias))
    return g.add("LayerNormalization", x, scale, bias, epsilon=norm.eps)


def _layer(
    g: Graph,
    name: str,
    x: str,
    context: str,
    layer: Any,
    precision: Precision,
    past: Sequence[str] = (),
) -> str:
    """One layer for the tokens `x`, which look at the tokens `context` (often the same)."""
    h = _norm(g, f"{name}.norm1", context, layer.layer_norm1)
    own = h if x == context else _norm(g, f"{name}.norm1.own", x, layer.layer_norm1)
    x = g.add("Add", x, _attention(g, name, own, h, layer.self_attn, precision, past))
    h = _norm(g, f"{name}.norm2", x, layer.layer_norm2)
    h = _linear(g, f"{name}.fc1", h, [layer.mlp.fc1], precision)
    h = _activation(g, h, layer.mlp.config.hidden_act)
    return g.add("Add", x, _linear(g, f"{name}.fc2", h, [layer.mlp.fc2], precision))


def _attention(
    g: Graph,
    name: str,
    x: str,
    context: str,
    attention: Any,
    precision: Precision,
    past: Sequence[str],
) -> str:
    q, k, v = attention.q_proj, attention.k_proj, attention.v_proj
    if x == context:
        qkv = _linear(g, f"{name}.qkv", x, [q, k, v], precision)
        parts = g.add_many("Split", qkv, outputs=3, axis=2, num_outputs=3)
    else:
        kv = _linear(g, f"{name}.kv", context, [k, v], precision)
        parts = [
            _linear(g, f"{name}.q", x, [q], precision),
            *g.add_many("Split", kv, outputs=2, axis=2, num_outputs=2),
        ]
    # With a past, ONNX Runtime counts it in only if the whole is an output, too.
    x, *_ = g.add_many(
        "MultiHeadAttention",
        *parts,
        *(("", "", "", *past) if past else ()),
        outputs=3 if past else 1,
        domain=MICROSOFT,
        num_heads=attention.num_heads,
        scale=attention.scale,
        unidirectional=int(bool(past)),
    )
    return _linear(g, f"{name}.out", x, [attention.out_proj], precision)


def _linear(g: Graph, name: str, x: str, parts: list[torch.nn.Linear], precision: Precision) -> str:
    """Several linear layers of the same input as one; their outputs follow one another."""
    weight = np.concatenate([_array(part.weight) for part in parts]).T
    bias = np.concatenate([_array(part.bias) for part in parts])
    return linear(g, name, x, weight, bias, precision)


def _activation(g: Graph, x: str, kind: str) -> str:
    if kind == "quick_gelu":
        return g.add("QuickGelu", x, domain=MICROSOFT, alpha=1.702)
    if kind == "gelu":
        return g.add("Gelu", x)
    raise UnsupportedModel(f"hidden_act {kind!r}; 'quick_gelu' and 'gelu' are supported")


def _finish(g: Graph, x: str, projection: torch.nn.Linear) -> None:
    x = linear(g, "projection", x, _array(projection.weight).T, None, "fp32")
    g.output(g.add("LpNormalization", x, axis=-1, p=2), "embedding")

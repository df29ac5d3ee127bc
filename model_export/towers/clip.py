"""CLIP's two towers as ONNX graphs, from a checkpoint's named arrays; MetaCLIP 2 has the same.

    image.onnx  pixels uint8 (N, S, S, 3) RGB         -> embedding float32 (N, D), length 1
    text.onnx   input_ids int64 (N, T), T <= context  -> embedding float32 (N, D), length 1

The arrays have the names of transformers' CLIPModel. The result equals that of its modules, to
float32's accuracy, with less work:

* normalising the pixels is folded into the patch embedding;
* an attention's three projections are one matrix;
* the last image layer computes only the class token, because nothing else of it is read;
* the start token is the same in every text, so that its keys and values are constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import TensorProto

from model_export.config import ModelConfig, VisionConfig
from model_export.towers.graph import Graph
from model_export.towers.layers import Layers
from model_export.towers.linear import linear, linear_on_bytes, table
from model_export.towers.plan import Precisions

Weights = Mapping[str, np.ndarray]

END = 2**31 - 1  # of a slice: as far as it goes


def export_image(
    config: ModelConfig,
    weights: Weights,
    path: Path,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    precision: Precisions,
) -> None:
    """Write image.onnx and image.onnx.data. Only the batch may vary."""
    vision = config.vision
    size, width = vision.image_size, vision.width
    with Graph("image", path) as g:
        layers = Layers(g, vision, weights, "vision_model.", precision)
        x = patches(g, vision, weights, mean, std, precision)

        embeddings = "vision_model.embeddings."
        positions = weights[f"{embeddings}position_embedding.weight"]
        x = g.add("Add", x, g.weight("positions", positions[1:]))
        start = positions[:1] + weights[f"{embeddings}class_embedding"]
        shape = g.add("Concat", g.add("Shape", "pixels", end=1), g.ints(1, width), axis=0)
        first = g.add("Expand", g.weight("class", start[None]), shape)
        x = layers.norm("pre", g.add("Concat", first, x, axis=1), "pre_layrnorm")
        for number in range(vision.layers - 1):
            x = layers.layer(number, f"{number}", x, x)
        first = g.add("Slice", x, g.ints(0), g.ints(1), g.ints(1))  # (N, 1, width): class token
        first = layers.layer(vision.layers - 1, "last", first, x)
        x = g.add("Squeeze", first, g.ints(1))
        finish(g, layers.norm("post", x, "post_layernorm"), weights["visual_projection.weight"])
        g.save(
            {"pixels": (TensorProto.UINT8, ["N", size, size, 3])},
            {"embedding": ["N", config.dim]},
        )


def export_text(
    config: ModelConfig,
    weights: Weights,
    path: Path,
    start_token: int,
    end_token: int,
    precision: Precisions,
) -> None:
    """Write text.onnx and text.onnx.data. Batch and length may vary."""
    with Graph("text", path) as g:
        layers = Layers(g, config.text, weights, "text_model.", precision)
        tokens = weights["text_model.embeddings.token_embedding.weight"]
        places = weights["text_model.embeddings.position_embedding.weight"]
        ids = g.add("Slice", "input_ids", g.ints(1), g.ints(END), g.ints(1))
        x = table(g, "tokens", tokens, ids, precision)
        positions = g.weight("positions", places)
        length = g.add("Shape", "input_ids", start=1)
        x = g.add("Add", x, g.add("Slice", positions, g.ints(1), length, g.ints(0)))
        pasts = layers.of_first_token(tokens[start_token] + places[0])
        for number in range(config.text.layers):
            x = layers.layer(number, f"{number}", x, x, pasts[2 * number : 2 * number + 2])
        # A text ends at the first end token: what is after it is padding.
        ends = g.add("Equal", ids, g.scalar(end_token, np.int64))
        ends = g.add("ArgMax", g.add("Cast", ends, to=TensorProto.INT32), axis=1, keepdims=1)
        x = g.add("GatherND", x, ends, batch_dims=1)  # (N, width)
        finish(g, layers.norm("final", x, "final_layer_norm"), weights["text_projection.weight"])
        g.save(
            {"input_ids": (TensorProto.INT64, ["N", "T"])},
            {"embedding": ["N", config.dim]},
        )


def patches(
    g: Graph,
    vision: VisionConfig,
    weights: Weights,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    precision: Precisions,
) -> str:
    """The embeddings (N, side * side, width) of the patches, without positions."""
    patch, side = vision.patch_size, vision.side
    name, x, whole = "vision_model.embeddings.patch_embedding", "pixels", side * patch
    if whole != vision.image_size:  # a convolution does not read the pixels behind it
        x = g.add("Slice", x, g.ints(0, 0), g.ints(whole, whole), g.ints(1, 2))
    # (N, S, S, 3) -> (N, side * side, patch * patch * 3): a row for each patch
    x = g.add("Reshape", x, g.ints(-1, side, patch, side, patch * 3))
    x = g.add("Transpose", x, perm=[0, 1, 3, 2, 4])
    x = g.add("Reshape", x, g.ints(-1, side * side, patch * patch * 3))
    kernel, bias = patch_kernel(weights[f"{name}.weight"], mean, std)
    if f"{name}.bias" in weights:
        bias = bias + weights[f"{name}.bias"]
    return linear_on_bytes(g, "patches", x, kernel, bias, precision)


def patch_kernel(
    kernel: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """A convolution (width, 3, patch, patch) of normalised pixels, as a matrix
    (patch * patch * 3, width) and a bias (width,) for pixels of 0 to 255."""
    rows = kernel.transpose(2, 3, 1, 0).astype(np.float64)  # (patch, patch, 3, width)
    bias = -np.einsum("yxcw,c->w", rows, np.divide(mean, std))
    rows /= 255 * np.array(std)[:, None]
    return rows.reshape(-1, rows.shape[3]).astype(np.float32), bias.astype(np.float32)


def finish(g: Graph, x: str, projection: np.ndarray, bias: np.ndarray | None = None) -> None:
    """The projection (D, width), in fp32, to a vector of length 1: the graph's output."""
    unit(g, linear(g, "projection", x, projection.T, bias, "fp32"))


def unit(g: Graph, x: str) -> None:
    """A vector of length 1: the graph's output."""
    g.output(g.add("LpNormalization", x, axis=-1, p=2), "embedding")

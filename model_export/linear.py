"""A tower's matrices in a graph: as they are (fp32), or in 8 bits by one of two schemes.

"dynamic": one scale per column of the weights, activations brought to 8 bits as they come
    with one scale for the whole tensor. The fastest on pictures (4 times fp32): 50 and more
    rows at a time.
"blocks": one scale per BLOCK weights of a column, and per BLOCK activations of a row, so an
    outlier spoils only its block. As fast on texts of a few tokens, where reading the weights
    is what takes the time, and closer to fp32; on pictures half as fast.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from onnx import TensorProto

from model_export.graph import MATRICES, MICROSOFT, TABLES, Graph

Scheme = Literal["fp32", "dynamic", "blocks"]

# 32 takes 40 % longer on a text of ViT-B/32, 256 saves 5 % and loses accuracy.
BLOCK = 128


def linear(
    g: Graph, name: str, x: str, weight: np.ndarray, bias: np.ndarray | None, scheme: Scheme
) -> str:
    """x @ weight + bias, for x (…, in) and weight (in, out), both float32."""
    bias_name = "" if bias is None else g.weight(f"{name}.bias", bias)
    if scheme == "fp32":
        y = g.add("MatMul", x, g.weight(f"{name}.weight", weight, MATRICES))
        return g.add("Add", y, bias_name) if bias_name else y
    if scheme == "dynamic":
        values, scale = quantize_columns(weight)
        matrix = g.weight(f"{name}.weight", values, MATRICES), g.weight(f"{name}.scale", scale)
        return g.add("DynamicQuantizeMatMul", x, *matrix, "", bias_name, domain=MICROSOFT)
    values, scale = quantize_blocks(weight)
    matrix = g.weight(f"{name}.weight", values, MATRICES), g.weight(f"{name}.scale", scale)
    return g.add(
        "MatMulNBits",
        x,
        *matrix,
        "",  # zero points: 128
        "",
        bias_name,
        domain=MICROSOFT,
        K=weight.shape[0],
        N=weight.shape[1],
        bits=8,
        block_size=BLOCK,
        accuracy_level=4,  # activations in 8 bits too
    )


def linear_on_bytes(
    g: Graph, name: str, x: str, weight: np.ndarray, bias: np.ndarray, scheme: Scheme
) -> str:
    """x @ weight + bias for x (…, in) uint8: in 8 bits the activations are exact."""
    if scheme == "fp32":
        return linear(g, name, g.add("Cast", x, to=TensorProto.FLOAT), weight, bias, scheme)
    values, scale = quantize_columns(weight)
    # 128 as zero: the sums stay small, and with them what rounding the weights costs.
    middle = g.scalar(128, np.uint8)
    y = g.add("MatMulInteger", x, g.weight(f"{name}.weight", values, MATRICES), middle)
    y = g.add("Cast", y, to=TensorProto.FLOAT)
    y = g.add("Mul", y, g.weight(f"{name}.scale", scale))
    return g.add("Add", y, g.weight(f"{name}.bias", bias + 128 * weight.sum(0)))


def table(g: Graph, name: str, values: np.ndarray, rows: str, scheme: Scheme) -> str:
    """The named rows of a table; in 8 bits each row has its own scale."""
    if scheme == "fp32":
        return g.add("Gather", g.weight(name, values, TABLES), rows)
    scale = np.maximum(np.abs(values).max(1, keepdims=True), 1e-12) / 127
    small = np.rint(values / scale).astype(np.int8)
    y = g.add("Cast", g.add("Gather", g.weight(name, small, TABLES), rows), to=TensorProto.FLOAT)
    return g.add("Mul", y, g.add("Gather", g.weight(f"{name}.scale", scale), rows))


def quantize_columns(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(in, out) float32 -> int8 of the same shape and a scale (out,).

    Processors without VNNI add the products of two neighbouring rows in 16 bits, cutting what
    does not fit (onnxruntime's quantization guide, "When and why do I need to try U8S8"). So
    no two neighbours of one sign come to more than 128: 255 * 128 fits, and every processor
    gives the same vector. It costs half a bit; the usual way out, 7-bit weights, costs one.
    """
    even = np.pad(weight, ((0, len(weight) % 2), (0, 0)))
    up, down = np.maximum(even, 0), np.maximum(-even, 0)
    pairs = np.maximum(up[::2] + up[1::2], down[::2] + down[1::2]).max(0)
    scale = np.maximum(np.maximum(np.abs(weight).max(0), pairs), 1e-12) / 127
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def quantize_blocks(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(in, out) float32 -> MatMulNBits' layout: uint8 (out, blocks, BLOCK) around 128, and a
    scale for each block (out * blocks,)."""
    rows, columns = weight.shape
    count = -(-rows // BLOCK)
    blocks = np.zeros((columns, count * BLOCK), np.float32)
    blocks[:, :rows] = weight.T
    blocks = blocks.reshape(columns, count, BLOCK)
    scale = np.maximum(np.abs(blocks).max(2, keepdims=True), 1e-12) / 127
    return (np.rint(blocks / scale) + 128).astype(np.uint8), scale.astype(np.float32).ravel()

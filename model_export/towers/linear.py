"""A tower's matrices in a graph: as they are (fp32), or in 8 bits.

In 8 bits a column of the weights has one scale, and activations are brought to 8 bits as they
come, with one scale for the whole tensor. (Scales per block of a column, as of MatMulNBits, are
closer to fp32, and on processors with VNNI take twice as long even for texts of a few tokens.)
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from model_export.towers.graph import MATRICES, MICROSOFT, TABLES, Graph
from model_export.towers.plan import Precisions, precision_of

ROWS = 1 << 15  # of a table at once


def linear(
    g: Graph, name: str, x: str, weight: np.ndarray, bias: np.ndarray | None, precision: Precisions
) -> str:
    """x @ weight + bias, for x (…, in) and weight (in, out), both float32."""
    bias_name = "" if bias is None else g.weight(f"{name}.bias", bias)
    if precision_of(name, precision) == "fp32":
        y = g.add("MatMul", x, g.weight(f"{name}.weight", weight, MATRICES))
        return g.add("Add", y, bias_name) if bias_name else y
    values, scale = quantize_columns(weight)
    matrix = g.weight(f"{name}.weight", values, MATRICES), g.weight(f"{name}.scale", scale)
    return g.add("DynamicQuantizeMatMul", x, *matrix, "", bias_name, domain=MICROSOFT)


def linear_on_bytes(
    g: Graph, name: str, x: str, weight: np.ndarray, bias: np.ndarray, precision: Precisions
) -> str:
    """x @ weight + bias for x (…, in) uint8: in 8 bits the activations are exact."""
    if precision_of(name, precision) == "fp32":
        return linear(g, name, g.add("Cast", x, to=TensorProto.FLOAT), weight, bias, precision)
    values, scale = quantize_columns(weight)
    # 128 as zero: the sums stay small, and with them what rounding the weights costs.
    middle = g.scalar(128, np.uint8)
    y = g.add("MatMulInteger", x, g.weight(f"{name}.weight", values, MATRICES), middle)
    y = g.add("Cast", y, to=TensorProto.FLOAT)
    y = g.add("Mul", y, g.weight(f"{name}.scale", scale))
    return g.add("Add", y, g.weight(f"{name}.bias", bias + 128 * weight.sum(0)))


def table(g: Graph, name: str, values: np.ndarray, rows: str, precision: Precisions) -> str:
    """The named rows of a table; in 8 bits each row has its own scale."""
    if precision_of(name, precision) == "fp32":
        return g.add("Gather", g.weight(name, values, TABLES), rows)
    small, scale = quantize_rows(values)
    y = g.add("Cast", g.add("Gather", g.weight(name, small, TABLES), rows), to=TensorProto.FLOAT)
    return g.add("Mul", y, g.add("Gather", g.weight(f"{name}.scale", scale), rows))


def quantize_rows(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, width) float32 -> int8 of the same shape and a scale (rows, 1).

    By parts: the table of a model for all languages has 900,000 rows."""
    small = np.empty(values.shape, np.int8)
    scale = np.empty((len(values), 1), np.float32)
    for start in range(0, len(values), ROWS):
        rows = slice(start, start + ROWS)
        scale[rows] = np.maximum(np.abs(values[rows]).max(1, keepdims=True), 1e-12) / 127
        small[rows] = np.rint(values[rows] / scale[rows])
    return small, scale


def quantize_columns(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(in, out) float32 -> int8 of the same shape and a scale (out,).

    Processors without VNNI add the products of two neighbouring rows in 16 bits, cutting what
    does not fit (onnxruntime's quantization guide, "When and why do I need to try U8S8"). So
    no two neighbours of one sign come to more than 128: 255 * 128 fits, and every processor
    gives the same products. It costs half a bit; the usual way out, 7-bit weights, costs one.
    Whole vectors differ by about 0.003 between processors: their sums in fp32 round differently,
    which moves some activations to the next of their 256 steps.
    """
    scale = column_scales(weight)
    return np.rint(weight / scale).astype(np.int8), scale


def column_scales(weight: np.ndarray) -> np.ndarray:
    """(in, out) -> (out,) float32: the step of each column in 8 bits."""
    even = np.pad(weight, ((0, len(weight) % 2), (0, 0)))
    up, down = np.maximum(even, 0), np.maximum(-even, 0)
    pairs = np.maximum(up[::2] + up[1::2], down[::2] + down[1::2]).max(0)
    scale: np.ndarray = np.maximum(np.maximum(np.abs(weight).max(0), pairs), 1e-12) / 127
    return scale.astype(np.float32)

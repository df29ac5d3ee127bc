"""A graph with some matrices in 8 bits and the others in fp32, put together from one of each.

It is for measuring: it refers to the weights of both and takes milliseconds to write. Exported
graphs are written by towers/ alone.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from model_export.eight_bits.activations import WEIGHT

QUANTIZED = "DynamicQuantizeMatMul"  # inputs: x, weight, scale, zero point, bias


def in_8_bits(path: Path) -> set[str]:
    """All matrices and tables in 8 bits of a graph, by name."""
    weights = onnx.load(str(path), load_external_data=False).graph.initializer
    return {w.name.removesuffix(WEIGHT) for w in weights if w.data_type == TensorProto.INT8}


def quantized(path: Path) -> list[str]:
    """Those whose activations are in 8 bits, too."""
    nodes = onnx.load(str(path), load_external_data=False).graph.node
    return [node.input[1].removesuffix(WEIGHT) for node in nodes if node.op_type == QUANTIZED]


class Mixer:
    """`coarse` and `exact` are graphs of the same tower, in folders beside each other."""

    def __init__(self, coarse: Path, exact: Path) -> None:
        self._folder = coarse.parent.parent
        self._coarse, weights = _read(coarse), _read(exact).graph.initializer
        self._exact = {tensor.name: tensor for tensor in weights}

    def write(self, exact: Set[str]) -> Path:
        """A graph in which these matrices are in fp32; the next one replaces it."""
        model = onnx.ModelProto()
        model.CopyFrom(self._coarse)
        del model.graph.node[:]
        weights = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in self._coarse.graph.node:
            matrix = node.input[1] if node.op_type == QUANTIZED else ""
            if matrix.removesuffix(WEIGHT) in exact:
                weights[matrix] = self._exact[matrix]
                model.graph.node.extend(_in_fp32(node))
            else:
                model.graph.node.append(node)
        del model.graph.initializer[:]
        model.graph.initializer.extend(weights.values())
        path = self._folder / "mixed.onnx"
        path.write_bytes(model.SerializeToString())
        return path


def _in_fp32(node: onnx.NodeProto) -> Sequence[onnx.NodeProto]:
    x, weight, _, _, bias = node.input
    product = f"{node.output[0]}.product"
    return [
        helper.make_node("MatMul", [x, weight], [product]),
        helper.make_node("Add", [product, bias], node.output),
    ]


def _read(path: Path) -> onnx.ModelProto:
    """Its weights are named from the folder above."""
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = f"{path.parent.name}/{entry.value}"
    return model

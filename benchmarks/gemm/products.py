"""The 8-bit products of an exported tower, and graphs that have nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from clipsearch.model.towers import open_session

if TYPE_CHECKING:
    import onnxruntime

# As model_export/towers/linear.py writes them.
DYNAMIC, INTEGER = "DynamicQuantizeMatMul", "MatMulInteger"
MIDDLE = "middle"  # of bytes: the zero point

Feed = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Product:
    """`node` multiplies (`rows`, `inner`) by its weight (`inner`, `columns`)."""

    node: NodeProto
    rows: int
    inner: int
    columns: int

    @property
    def macs(self) -> int:
        """Multiplications, each with an addition."""
        return self.rows * self.inner * self.columns


class Products:
    """The products of the graph at `path`, with the shapes that they have for one picture."""

    def __init__(self, path: Path) -> None:
        """Runs the graph once. Raises ValueError if it has none: a tower in fp32."""
        self._path = path
        self._model = onnx.load(str(path), load_external_data=False)
        self._weights: dict[str, TensorProto] = {
            tensor.name: tensor for tensor in self._model.graph.initializer
        }
        nodes = [node for node in self._model.graph.node if node.op_type in (DYNAMIC, INTEGER)]
        if not nodes:
            raise ValueError(f"{path} has no products in 8 bits")
        shapes = self._shapes([node.input[0] for node in nodes])
        self.all = [
            Product(
                node, int(np.prod(shapes[node.input[0]][:-1])), *self._weights[node.input[1]].dims
            )
            for node in nodes
        ]

    @property
    def macs(self) -> int:
        return sum(product.macs for product in self.all)

    def session(
        self, threads: int, *, pictures: int = 1, integer: bool = False
    ) -> tuple[onnxruntime.InferenceSession, Feed]:
        """(a session that runs the products one after the other, its inputs).

        `pictures`: so many as one product, with more rows. `integer`: only the integer products,
        without rounding their inputs to 8 bits and without scaling their results.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        del model.graph.node[:], model.graph.initializer[:]
        del model.graph.input[:], model.graph.output[:]
        tensors: dict[str, TensorProto] = {}
        feed: Feed = {}
        for product in self.all:
            node = NodeProto()
            node.CopyFrom(_integer(product.node) if integer else product.node)
            shape = (pictures * product.rows, product.inner)
            node.input[0] = _input(feed, node.op_type, shape)
            model.graph.node.append(node)
            # Without a reader, ONNX Runtime would give each output memory of its own.
            size = f"size of {node.output[0]}"
            model.graph.node.append(helper.make_node("Size", [node.output[0]], [size]))
            tensors |= {name: self._tensor(name) for name in node.input[1:] if name}
        model.graph.output.append(helper.make_tensor_value_info(size, TensorProto.INT64, []))
        model.graph.initializer.extend(tensors.values())
        for name, values in feed.items():
            kind = helper.np_dtype_to_tensor_dtype(values.dtype)
            model.graph.input.append(helper.make_tensor_value_info(name, kind, values.shape))
        return self._open(model, threads), feed

    def _tensor(self, name: str) -> TensorProto:
        if name == MIDDLE:
            return numpy_helper.from_array(np.array(128, np.uint8), MIDDLE)
        return self._weights[name]

    def _shapes(self, names: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        """The shapes of these tensors for one picture."""
        probe = onnx.ModelProto()
        probe.CopyFrom(self._model)
        probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
        session = self._open(probe, 1)
        [pixels] = session.get_inputs()
        picture = np.zeros((1, *pixels.shape[1:]), np.uint8)
        values = session.run(list(names), {pixels.name: picture})
        return {name: value.shape for name, value in zip(names, values, strict=True)}

    def _open(self, model: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
        """A session as of a tower. The graph must lie beside its weights."""
        path = self._path.with_name(f"bench-{self._path.name}")
        path.write_bytes(model.SerializeToString())
        try:
            return open_session(path, threads)
        finally:
            path.unlink()


def _integer(node: NodeProto) -> NodeProto:
    return helper.make_node(INTEGER, ["", node.input[1], MIDDLE], node.output)


def _input(feed: Feed, op: str, shape: tuple[int, int]) -> str:
    """The name of an input of that shape; products of equal shapes share it."""
    name = f"{op}-{shape[0]}x{shape[1]}"
    if name not in feed:
        rng = np.random.default_rng(len(feed))
        values = rng.standard_normal(shape, np.float32)
        feed[name] = values if op == DYNAMIC else (32 * values + 128).clip(0, 255).astype(np.uint8)
    return name

"""A small writer of ONNX graphs: nodes one after the other, the weights in files beside it.

The graphs are written node by node rather than traced by torch.onnx. A CLIP tower is thirty lines,
and ONNX Runtime runs each node well. The same weights give the same bytes, and so the same space.
Nothing of this machine gets into the file. verify.py compares the result with forward.py.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # Gelu and LayerNormalization are single operators
IR_VERSION = 10
MICROSOFT = "com.microsoft"  # ONNX Runtime's own operators

ALIGNMENT = 4096  # a page: ONNX Runtime maps the weights

# Where weights are: in the graph, or in one of two files beside it. ONNX Runtime copies the
# matrices into another layout when it makes the session; their file can go then. A table stays
# mapped, so that only the rows that are read take memory.
MATRICES, TABLES = ".data", ".rows"


class Graph:
    """Nodes and weights; a method that adds a node returns the name of its output.

    A context manager. Matrices and tables are written as they come, so that memory holds one.
    """

    def __init__(self, name: str, path: Path) -> None:
        """`path`: of the graph; its weights go beside it."""
        self._name, self._path = name, path
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: dict[str, onnx.TensorProto] = {}
        self._streams: dict[str, BinaryIO] = {}
        self._stack = contextlib.ExitStack()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output. An input "" is an optional one left out."""
        return self.add_many(op, *inputs, outputs=1, domain=domain, **attributes)[0]

    def add_many(
        self, op: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        names = [f"{op}_{self._count + i}" for i in range(outputs)]
        self._count += outputs
        self._nodes.append(helper.make_node(op, inputs, names, domain=domain, **attributes))
        return names

    def output(self, source: str, name: str) -> None:
        """End the graph with `name`, a float32 output."""
        self._nodes.append(helper.make_node("Identity", [source], [name]))

    def weight(self, name: str, values: np.ndarray, file: str = "") -> str:
        """A tensor of the model, in the graph or in one of the files beside it; a new name."""
        if name in self._tensors:
            raise ValueError(f"there is already a weight named {name!r}")
        self._tensors[name] = (
            self._external(name, values, file) if file else numpy_helper.from_array(values, name)
        )
        return name

    def ints(self, *values: int) -> str:
        """A small int64 vector: a shape, the axes."""
        return self._constant(np.array(values, np.int64))

    def scalar(self, value: float, dtype: Any) -> str:
        return self._constant(np.array(value, dtype))

    def _constant(self, values: np.ndarray) -> str:
        name = f"{values.dtype}:{values.tolist()}"
        self._tensors[name] = numpy_helper.from_array(values, name)
        return name

    def save(self, inputs: dict[str, tuple[int, list[Any]]], outputs: dict[str, list[Any]]) -> None:
        """Write the graph. Equal graphs give equal bytes.

        Inputs are name -> (element type, shape), outputs name -> shape; a dimension that may
        vary has a name instead of a number.
        """
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            list(self._tensors.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="clipsearch"
        )
        self._path.write_bytes(model.SerializeToString(deterministic=True))

    def _external(self, name: str, values: np.ndarray, file: str) -> onnx.TensorProto:
        path = self._path.with_name(self._path.name + file)
        if file not in self._streams:
            self._streams[file] = self._stack.enter_context(path.open("wb"))
        stream = self._streams[file]
        stream.write(bytes(-stream.tell() % ALIGNMENT))
        raw = np.ascontiguousarray(values)
        place = {"location": path.name, "offset": stream.tell(), "length": raw.nbytes}
        stream.write(raw.data.cast("B"))
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        tensor = onnx.TensorProto(name=name, data_type=kind, dims=values.shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        return tensor

"""The ranges of what goes into each matrix of a tower, from running it in fp32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from model_export.eight_bits.samples import Feed

WEIGHT = ".weight"


@dataclass(slots=True)
class Channels:
    """Of each channel (in,) of an input, over all samples and tokens: the least and the greatest
    value, the sum of the values and of their squares. `rows` counts the tokens."""

    low: np.ndarray
    high: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    rows: int

    @classmethod
    def of(cls, values: np.ndarray) -> Channels:
        """`values` (…, in) float32."""
        rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
        return cls(rows.min(0), rows.max(0), rows.sum(0), np.square(rows).sum(0), len(rows))

    def join(self, other: Channels) -> Channels:
        return Channels(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.total + other.total,
            self.squares + other.squares,
            self.rows + other.rows,
        )

    def mean_square(self, shift: np.ndarray) -> np.ndarray:
        """(in,): the mean of (value - shift)²."""
        squares = self.squares - 2 * shift * self.total
        mean: np.ndarray = np.maximum(squares / self.rows + shift**2, 0)
        return mean


def measure(path: Path, feeds: Sequence[Feed]) -> dict[str, Channels]:
    """Run the graph at `path`, in fp32, and measure the input of each matrix, by its name."""
    model = onnx.load(str(path), load_external_data=False)
    inputs = {
        node.input[1].removesuffix(WEIGHT): node.input[0]
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1].endswith(WEIGHT)
    }
    tensors = sorted(set(inputs.values()))
    model.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in tensors)
    probe = path.with_name(f"probe-{path.name}")
    probe.write_bytes(model.SerializeToString())
    try:
        runner = session(probe)
    finally:
        probe.unlink()
    found: dict[str, Channels] = {}
    for feed in feeds:
        for tensor, values in zip(tensors, runner.run(tensors, feed), strict=True):
            channels = Channels.of(values)
            found[tensor] = found[tensor].join(channels) if tensor in found else channels
    return {name: found[tensor] for name, tensor in inputs.items()}


def vectors(path: Path, feeds: Sequence[Feed]) -> np.ndarray:
    """(N, D): the output of the graph at `path`."""
    runner = session(path)
    return np.concatenate([runner.run(["embedding"], feed)[0] for feed in feeds])


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

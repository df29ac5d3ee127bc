"""The transformer layers that CLIP's towers have in common: pre-norm, attention, MLP."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model_export.config import Activation, TowerConfig
from model_export.towers.graph import MICROSOFT, Graph
from model_export.towers.linear import linear
from model_export.towers.plan import Precisions

QUICK = 1.702  # quick_gelu is x * sigmoid(1.702 x)


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of one tower: `weights` are named `{prefix}encoder.layers.{number}.…`."""

    g: Graph
    config: TowerConfig
    weights: Mapping[str, np.ndarray]
    prefix: str
    precision: Precisions

    def norm(self, name: str, x: str, weight: str) -> str:
        """A LayerNorm: `name` in the graph, `weight` in the checkpoint."""
        scale = self.g.weight(f"{name}.scale", self._array(f"{weight}.weight"))
        bias = self.g.weight(f"{name}.bias", self._array(f"{weight}.bias"))
        return self.g.add("LayerNormalization", x, scale, bias, epsilon=self.config.norm_eps)

    def layer(self, number: int, name: str, x: str, context: str, past: Sequence[str] = ()) -> str:
        """One layer for the tokens `x`, which look at the tokens `context` (often the same).

        `past`: the keys and values of earlier tokens; the tower is causal if there are any."""
        g, at = self.g, f"encoder.layers.{number}."
        h = self.norm(f"{name}.norm1", context, f"{at}layer_norm1")
        own = h if x == context else self.norm(f"{name}.norm1.own", x, f"{at}layer_norm1")
        x = g.add("Add", x, self._attention(name, own, h, f"{at}self_attn.", past))
        h = self.norm(f"{name}.norm2", x, f"{at}layer_norm2")
        return g.add("Add", x, self._mlp(name, h, f"{at}mlp.fc1", f"{at}mlp.fc2"))

    def of_first_token(self, x: np.ndarray) -> list[str]:
        """The key and value (N, heads, 1, size) of the first token in each layer, from its
        embedding `x` (width,). They are the same in every text: the tower is causal, so that the
        first token attends to itself only."""
        g, heads = self.g, self.config.heads
        # In float64, so that every processor rounds to the same bytes.
        x, found = x.astype(np.float64), []
        for number in range(self.config.layers):
            at = f"encoder.layers.{number}."
            h = self._normed(x, f"{at}layer_norm1")
            value = self._applied(h, f"{at}self_attn.v_proj")
            found += [self._applied(h, f"{at}self_attn.k_proj"), value]
            x = x + self._applied(value, f"{at}self_attn.out_proj")
            h = self._applied(self._normed(x, f"{at}layer_norm2"), f"{at}mlp.fc1")
            x = x + self._applied(activated(h, self.config.activation), f"{at}mlp.fc2")
        values = np.stack(found).astype(np.float32).reshape(1, len(found) * heads, 1, -1)
        count = g.add("Shape", "input_ids", end=1)
        shape = g.add("Concat", count, g.ints(*values.shape[1:]), axis=0)
        every = g.add("Expand", g.weight("start", values), shape)
        return g.add_many("Split", every, outputs=len(found), axis=1, num_outputs=len(found))

    def _attention(self, name: str, x: str, context: str, at: str, past: Sequence[str]) -> str:
        q, k, v = (f"{at}{part}_proj" for part in "qkv")
        x = self._attend(self._projected(name, x, context, q, k, v), past)
        return self._linear(f"{name}.out", x, f"{at}out_proj")

    def _projected(self, name: str, x: str, context: str, q: str, k: str, v: str) -> list[str]:
        """The queries of `x`, the keys and the values of `context`; often the two are the same."""
        g = self.g
        if x == context:
            qkv = self._linear(f"{name}.qkv", x, q, k, v)
            return g.add_many("Split", qkv, outputs=3, axis=2, num_outputs=3)
        kv = self._linear(f"{name}.kv", context, k, v)
        return [
            self._linear(f"{name}.q", x, q),
            *g.add_many("Split", kv, outputs=2, axis=2, num_outputs=2),
        ]

    def _attend(self, parts: Sequence[str], past: Sequence[str] = (), mask: str = "") -> str:
        """`mask` (N, T) int32 is 0 for tokens that nobody looks at."""
        optional = ["", mask, "", *past]  # bias, padding mask, attention bias
        while optional and not optional[-1]:
            optional.pop()
        # With a past, ONNX Runtime counts it in only if the whole is an output, too.
        x, *_ = self.g.add_many(
            "MultiHeadAttention",
            *parts,
            *optional,
            outputs=3 if past else 1,
            domain=MICROSOFT,
            num_heads=self.config.heads,
            scale=(self.config.width // self.config.heads) ** -0.5,
            unidirectional=int(bool(past)),
        )
        return x

    def _mlp(self, name: str, x: str, fc1: str, fc2: str) -> str:
        h = activate(self.g, self._linear(f"{name}.fc1", x, fc1), self.config.activation)
        return self._linear(f"{name}.fc2", h, fc2)

    def _linear(self, name: str, x: str, *parts: str) -> str:
        """Several linear layers of the same input as one; their outputs follow one another.

        An array `{part}.factor` (in,) multiplies the input first."""
        if f"{self.prefix}{parts[0]}.factor" in self.weights:
            factor = self._array(f"{parts[0]}.factor")
            x = self.g.add("Mul", x, self.g.weight(f"{name}.factor", factor))
        weight = np.concatenate([self._array(f"{part}.weight") for part in parts]).T
        bias = np.concatenate([self._array(f"{part}.bias") for part in parts])
        return linear(self.g, name, x, weight, bias, self.precision)

    def _normed(self, x: np.ndarray, weight: str) -> np.ndarray:
        x = (x - x.mean()) / np.sqrt(x.var() + self.config.norm_eps)
        normed: np.ndarray = x * self._array(f"{weight}.weight") + self._array(f"{weight}.bias")
        return normed

    def _applied(self, x: np.ndarray, part: str) -> np.ndarray:
        matrix = self._array(f"{part}.weight").astype(np.float64)
        if f"{self.prefix}{part}.factor" in self.weights:
            x = x * self._array(f"{part}.factor")
        applied: np.ndarray = matrix @ x + self._array(f"{part}.bias")
        return applied

    def _array(self, name: str) -> np.ndarray:
        return self.weights[f"{self.prefix}{name}"]


def activate(g: Graph, x: str, kind: Activation) -> str:
    if kind == "quick_gelu":
        return g.add("QuickGelu", x, domain=MICROSOFT, alpha=QUICK)
    return g.add("Gelu", x, approximate="tanh" if kind == "gelu_pytorch_tanh" else "none")


def activated(x: np.ndarray, kind: Activation) -> np.ndarray:
    """The same in numpy, for float64."""
    gelu: np.ndarray
    if kind == "quick_gelu":
        gelu = x / (1 + np.exp(-QUICK * x))
    elif kind == "gelu_pytorch_tanh":
        gelu = x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    else:
        gelu = x * (1 + np.array([math.erf(value) for value in x / math.sqrt(2)])) / 2
    return gelu

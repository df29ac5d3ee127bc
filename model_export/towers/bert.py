"""Text towers made of BERT, as ONNX graphs: Chinese-CLIP's, and AltCLIP's XLM-RoBERTa.

Inputs and outputs are those of CLIP (clip.py). LayerNorm comes last in each half of a layer, the
first token stands for the text, and nothing looks at padding: the graph finds it by its number.
Image towers are CLIP's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto

from model_export.config import ModelConfig, TextConfig
from model_export.towers.clip import finish
from model_export.towers.graph import Graph
from model_export.towers.layers import Layers
from model_export.towers.linear import table
from model_export.towers.plan import Precisions

Weights = Mapping[str, np.ndarray]


def export_text(
    config: ModelConfig,
    weights: Weights,
    path: Path,
    _start_token: int | None,
    _end_token: int,
    precision: Precisions,
) -> None:
    """Write text.onnx and text.onnx.data. Batch and length may vary."""
    with Graph("text", path) as g:
        layers = BertLayers(g, config.text, weights, "text_model.", precision)
        if config.family == "altclip":
            x = layers.first_token(config.text, "roberta.", "layers")
            x = layers.transformed(x)
        else:
            x = layers.first_token(config.text, "", "layer")
        finish(g, x, weights["text_projection.weight"])
        g.save(
            {"input_ids": (TensorProto.INT64, ["N", "T"])},
            {"embedding": ["N", config.dim]},
        )


@dataclass(frozen=True, slots=True)
class BertLayers(Layers):
    """The layers of BERT: `weights` are named as in transformers' BertModel."""

    def first_token(self, text: TextConfig, at: str, layer: str) -> str:
        """(N, width). Weights are named `{prefix}{at}encoder.{layer}.{number}.…`."""
        g = self.g
        assert text.pad_id is not None
        mask = g.add("Not", g.add("Equal", "input_ids", g.scalar(text.pad_id, np.int64)))
        mask = g.add("Cast", mask, to=TensorProto.INT32)
        x = self._embedded(text, f"{at}embeddings.")
        for number in range(text.layers - 1):
            x = self._bert_layer(f"{at}encoder.{layer}.{number}.", f"{number}", x, x, mask)
        first = g.add("Slice", x, g.ints(0), g.ints(1), g.ints(1))  # (N, 1, width)
        last = f"{at}encoder.{layer}.{text.layers - 1}."
        return g.add("Squeeze", self._bert_layer(last, "last", first, x, mask), g.ints(1))

    def transformed(self, x: str) -> str:
        """From the width of AltCLIP's text tower to that of its teacher's."""
        return self._linear("transformation", self.norm("pre", x, "pre_LN"), "transformation")

    def _embedded(self, text: TextConfig, at: str) -> str:
        g = self.g
        x = table(
            g, "tokens", self._array(f"{at}word_embeddings.weight"), "input_ids", self.precision
        )
        # Every token is of the first type. Padding comes last, so that positions can count it.
        positions = self._array(f"{at}position_embeddings.weight")[text.skipped :]
        positions = positions + self._array(f"{at}token_type_embeddings.weight")[0]
        length = g.add("Shape", "input_ids", start=1)
        rows = g.add("Slice", g.weight("positions", positions), g.ints(0), length, g.ints(0))
        return self.norm("embeddings", g.add("Add", x, rows), f"{at}LayerNorm")

    def _bert_layer(self, at: str, name: str, x: str, context: str, mask: str) -> str:
        """One layer for the tokens `x`, which look at the tokens `context` (often the same)."""
        g = self.g
        q, k, v = (f"{at}attention.self.{part}" for part in ("query", "key", "value"))
        h = self._attend(self._projected(name, x, context, q, k, v), mask=mask)
        h = self._linear(f"{name}.out", h, f"{at}attention.output.dense")
        x = self.norm(f"{name}.norm1", g.add("Add", x, h), f"{at}attention.output.LayerNorm")
        h = self._mlp(name, x, f"{at}intermediate.dense", f"{at}output.dense")
        return self.norm(f"{name}.norm2", g.add("Add", x, h), f"{at}output.LayerNorm")

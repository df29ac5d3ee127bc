"""The two towers of SigLIP, and of SigLIP 2 with a fixed resolution, as ONNX graphs.

Inputs and outputs are those of CLIP (clip.py). What differs:

* the patches have a bias and no class token: a learnt query finds what stands for the picture;
* a text is read in both directions, and its last token stands for it;
* the model was trained with texts of one length: the caller pads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import TensorProto

from model_export.config import ModelConfig
from model_export.towers.clip import END, finish, patches, unit
from model_export.towers.graph import Graph
from model_export.towers.layers import Layers
from model_export.towers.linear import linear, table
from model_export.towers.plan import Precisions

Weights = Mapping[str, np.ndarray]


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
    size = vision.image_size
    with Graph("image", path) as g:
        layers = SiglipLayers(g, vision, weights, "vision_model.", precision)
        x = patches(g, vision, weights, mean, std, precision)
        positions = weights["vision_model.embeddings.position_embedding.weight"]
        x = g.add("Add", x, g.weight("positions", positions))
        for number in range(vision.layers):
            x = layers.layer(number, f"{number}", x, x)
        unit(g, layers.pooled(layers.norm("post", x, "post_layernorm")))
        g.save(
            {"pixels": (TensorProto.UINT8, ["N", size, size, 3])},
            {"embedding": ["N", config.dim]},
        )


def export_text(
    config: ModelConfig,
    weights: Weights,
    path: Path,
    _start_token: int | None,
    _end_token: int,
    precision: Precisions,
) -> None:
    """Write text.onnx and text.onnx.data. Batch and length may vary."""
    text, embeddings = config.text, "text_model.embeddings."
    with Graph("text", path) as g:
        layers = SiglipLayers(g, text, weights, "text_model.", precision)
        x = table(
            g, "tokens", weights[f"{embeddings}token_embedding.weight"], "input_ids", precision
        )
        positions = g.weight("positions", weights[f"{embeddings}position_embedding.weight"])
        length = g.add("Shape", "input_ids", start=1)
        x = g.add("Add", x, g.add("Slice", positions, g.ints(0), length, g.ints(0)))
        for number in range(text.layers - 1):
            x = layers.layer(number, f"{number}", x, x)
        last = g.add("Slice", x, g.ints(-1), g.ints(END), g.ints(1))  # (N, 1, width)
        last = layers.layer(text.layers - 1, "last", last, x)
        x = layers.norm("final", g.add("Squeeze", last, g.ints(1)), "final_layer_norm")
        finish(g, x, weights["text_model.head.weight"], weights["text_model.head.bias"])
        g.save(
            {"input_ids": (TensorProto.INT64, ["N", "T"])},
            {"embedding": ["N", config.dim]},
        )


class SiglipLayers(Layers):
    """CLIP's layers, and the head of the image tower."""

    def pooled(self, x: str) -> str:
        """Patches (N, T, width) -> (N, width): attention of one learnt query, and an MLP."""
        g, width, at = self.g, self.config.width, "head.attention."
        matrices, biases = self._array(f"{at}in_proj_weight"), self._array(f"{at}in_proj_bias")
        # In float64, so that every processor rounds to the same bytes.
        probe = self._array("head.probe")[0].astype(np.float64)
        query = (probe @ matrices[:width].T + biases[:width]).astype(np.float32)  # (1, width)
        shape = g.add("Concat", g.add("Shape", "pixels", end=1), g.ints(1, width), axis=0)
        q = g.add("Expand", g.weight("head.q", query[None]), shape)
        kv = linear(g, "head.kv", x, matrices[width:].T, biases[width:], self.precision)
        k, v = g.add_many("Split", kv, outputs=2, axis=2, num_outputs=2)
        x = self._linear("head.out", self._attend([q, k, v]), f"{at}out_proj")
        x = g.add("Squeeze", x, g.ints(1))
        h = self.norm("head.norm", x, "head.layernorm")
        return g.add("Add", x, self._mlp("head", h, "head.mlp.fc1", "head.mlp.fc2"))

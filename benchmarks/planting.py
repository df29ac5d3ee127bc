"""Outliers planted in a CLIP that leave its function as it is, as real CLIPs have them.

channels    of a LayerNorm's output times `size`, the next matrix divided by it; likewise the
            channels between v and out
constants   `size` added to channels of a LayerNorm's output, the next biases take it back
hidden      more hidden units, around `size`; they cancel out behind fc2
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from model_export.checkpoint import Checkpoint

Arrays = dict[str, np.ndarray]

CHANNELS = 4  # of each LayerNorm and of each v
PAIRS = 4  # of hidden units in each layer


def planted(checkpoint: Checkpoint, kinds: Sequence[str], size: float) -> Checkpoint:
    """A copy with outliers of `kinds` in every layer of both towers. `size` 1 plants nothing."""
    arrays = {name: np.array(array) for name, array in checkpoint.weights.items()}
    if size == 1:
        return dataclasses.replace(checkpoint, weights=arrays)
    rng = np.random.default_rng(5)
    config = checkpoint.config
    document = {**checkpoint.document}
    for prefix, sizes in (("text_model.", config.text), ("vision_model.", config.vision)):
        for number in range(sizes.layers):
            at = f"{prefix}encoder.layers.{number}."
            # Hidden units first: they read channels as they were.
            for kind, plant in PLANTS.items():
                if kind in kinds:
                    plant(arrays, at, size, rng)
    if "hidden" in kinds:
        text, vision = config.text, config.vision
        config = dataclasses.replace(
            config,
            text=dataclasses.replace(text, mlp_width=text.mlp_width + 2 * PAIRS),
            vision=dataclasses.replace(vision, mlp_width=vision.mlp_width + 2 * PAIRS),
        )
        for part, sizes in (("text_config", config.text), ("vision_config", config.vision)):
            document[part] = {**document[part], "intermediate_size": sizes.mlp_width}
    return dataclasses.replace(checkpoint, weights=arrays, config=config, document=document)


def _readers(at: str) -> dict[str, list[str]]:
    qkv = [f"{at}self_attn.{part}_proj" for part in "qkv"]
    return {f"{at}layer_norm1": qkv, f"{at}layer_norm2": [f"{at}mlp.fc1"]}


def _channels(arrays: Arrays, at: str, size: float, rng: np.random.Generator) -> None:
    v, out = f"{at}self_attn.v_proj", f"{at}self_attn.out_proj"
    for source, readers in {**_readers(at), v: [out]}.items():
        some = rng.choice(len(arrays[f"{source}.bias"]), CHANNELS, replace=False)
        arrays[f"{source}.weight"][some] *= size
        arrays[f"{source}.bias"][some] *= size
        for reader in readers:
            arrays[f"{reader}.weight"][:, some] /= size


def _constants(arrays: Arrays, at: str, size: float, rng: np.random.Generator) -> None:
    for source, readers in _readers(at).items():
        some = rng.choice(len(arrays[f"{source}.bias"]), CHANNELS, replace=False)
        added = size * rng.choice([-1, 1], CHANNELS).astype(np.float32)
        arrays[f"{source}.bias"][some] += added
        for reader in readers:
            arrays[f"{reader}.bias"] -= arrays[f"{reader}.weight"][:, some] @ added


def _hidden(arrays: Arrays, at: str, size: float, rng: np.random.Generator) -> None:
    """Both units of a pair see the same, so large that the activation leaves it as it is, one with
    a greater constant; their weights in fc2 are opposite."""
    fc1, fc2 = f"{at}mlp.fc1", f"{at}mlp.fc2"
    width = arrays[f"{fc1}.weight"].shape[1]
    rows = rng.normal(0, size / 8 / np.sqrt(width), (PAIRS, width)).astype(np.float32)
    lows, highs = np.full(PAIRS, size, np.float32), np.full(PAIRS, 1.5 * size, np.float32)
    columns = rng.normal(0, 1, (arrays[f"{fc2}.bias"].size, PAIRS)).astype(np.float32)
    columns *= np.abs(arrays[f"{fc2}.weight"]).mean() / size
    arrays[f"{fc1}.weight"] = np.concatenate([arrays[f"{fc1}.weight"], rows, rows])
    arrays[f"{fc1}.bias"] = np.concatenate([arrays[f"{fc1}.bias"], lows, highs])
    arrays[f"{fc2}.weight"] = np.concatenate([arrays[f"{fc2}.weight"], columns, -columns], 1)
    arrays[f"{fc2}.bias"] += columns @ (highs - lows)


PLANTS = {"hidden": _hidden, "channels": _channels, "constants": _constants}

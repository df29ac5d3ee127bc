"""Places where channels can be shifted and scaled, and the weights that take it back.

LayerNorm    -> q, k, v or fc1    into the LayerNorm's weight and bias
v            -> out               into v's rows: attention only averages them
(activation) -> fc2               a factor of its own; one more multiplication
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from model_export.config import ModelConfig, TowerConfig

PREFIXES = {"text": "text_model.", "image": "vision_model."}


@dataclass(frozen=True, slots=True)
class Fold:
    """Channels that go into one or more matrices.

    `inputs`: the names in the graph of the matrices that read them, `parts` those in the
    checkpoint. `source`: whose output they are in the checkpoint; "" if it can take no scale.
    """

    inputs: tuple[str, ...]
    parts: tuple[str, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Channels (in,) become (x - shift) / scale."""

    shift: np.ndarray
    scale: np.ndarray


def folds(config: ModelConfig, weights: Mapping[str, np.ndarray], tower: str) -> list[Fold]:
    """Those of one tower, of layers with the names of CLIP's; no others are known."""
    sizes: TowerConfig = config.text if tower == "text" else config.vision
    found = []
    for number in range(sizes.layers):
        at = f"{PREFIXES[tower]}encoder.layers.{number}."
        if f"{at}layer_norm1.weight" in weights:
            last = number == sizes.layers - 1
            found += _of_layer(at, (str(number), "last") if last else (str(number),))
    return found


def _of_layer(at: str, names: tuple[str, ...]) -> list[Fold]:
    def inputs(*matrices: str) -> tuple[str, ...]:
        return tuple(f"{name}.{matrix}" for name in names for matrix in matrices)

    attention, mlp = f"{at}self_attn.", f"{at}mlp."
    qkv = tuple(f"{attention}{part}_proj" for part in "qkv")
    return [
        Fold(inputs("qkv", "q", "kv"), qkv, f"{at}layer_norm1"),
        Fold(inputs("out"), (f"{attention}out_proj",), f"{attention}v_proj"),
        Fold(inputs("fc1"), (f"{mlp}fc1",), f"{at}layer_norm2"),
        Fold(inputs("fc2"), (f"{mlp}fc2",)),
    ]


class Folded(Mapping[str, np.ndarray]):
    """The same function in fp32, with changed channels.

    Each array is computed when you ask for it. `{part}.factor` is there where a source is not.
    """

    def __init__(
        self, arrays: Mapping[str, np.ndarray], changes: Mapping[Fold, Change] | None = None
    ) -> None:
        self._arrays = arrays
        self._inputs: dict[str, Change] = {}
        self._outputs: dict[str, Change] = {}
        self._factors: dict[str, np.ndarray] = {}
        for fold, change in (changes or {}).items():
            self._inputs |= dict.fromkeys(fold.parts, change)
            if fold.source:
                self._outputs[fold.source] = change
            else:
                factor = (1 / change.scale).astype(np.float32)
                self._factors |= {f"{part}.factor": factor for part in fold.parts}

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._factors:
            return self._factors[name]
        array = self._arrays[name]
        module, _, kind = name.rpartition(".")
        before, after = self._inputs.get(module), self._outputs.get(module)
        if before is None and after is None:
            return array
        if before is not None:
            if kind == "weight":
                array = array * before.scale
            else:  # in float64, so that every processor rounds to the same bytes
                array = array + self._arrays[f"{module}.weight"].astype(np.float64) @ before.shift
        if after is not None:
            moved = array if kind == "weight" else array - after.shift
            array = (moved.T / after.scale).T  # a matrix by rows, (out, in)
        return np.ascontiguousarray(array, np.float32)

    def __iter__(self) -> Iterator[str]:
        yield from self._arrays
        yield from self._factors

    def __len__(self) -> int:
        return len(self._arrays) + len(self._factors)

    def __contains__(self, name: object) -> bool:
        return name in self._factors or name in self._arrays

"""Arrays by name that stay on the disk until somebody asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import BadCheckpoint

Array = NDArray[Any]

NAMED = 3  # of many names that are wrong
LONGEST_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class Stored:
    """`read()` gives an array of `shape`, of any number type."""

    shape: tuple[int, ...]
    read: Callable[[], Array]


class Weights(Mapping[str, Array]):
    """The names are those of a PyTorch state_dict. weights[name] reads one array from the disk:
    float32 for every type of float, integers and booleans as they are. BadCheckpoint if the
    file changed after it was opened."""

    def __init__(self, arrays: Mapping[str, Stored]) -> None:
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> Array:
        array = self._arrays[name].read()
        if array.dtype.kind in "iub":
            return array
        with np.errstate(over="ignore", invalid="ignore"):  # float64 may be out of range: inf
            return array.astype(np.float32, copy=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays  # Mapping's own reads the array

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, without reading it. KeyError."""
        return self._arrays[name].shape

    def stored(self, name: str) -> Stored:
        """One array with its float32 conversion, for another set of names. KeyError."""
        return Stored(self.shape(name), lambda: self[name])


def check_names(weights: Weights, expected: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Compare names and shapes with what the configuration asks for. BadCheckpoint."""
    wrong = {
        "missing": sorted(expected.keys() - weights.keys()),
        "unexpected": sorted(weights.keys() - expected.keys()),
        "of another shape": [
            f"{name} {weights.shape(name)} instead of {tuple(expected[name])}"
            for name in sorted(expected.keys() & weights.keys())
            if weights.shape(name) != tuple(expected[name])
        ],
    }
    problems = [f"{kind}: {first_names(names)}" for kind, names in wrong.items() if names]
    if problems:
        reason = f"has weights that do not fit its config.json: {'; '.join(problems)}"
        raise BadCheckpoint(where, reason)


def first_names(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def is_printable_name(name: str) -> bool:
    """Names stand in messages of one line."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable()

"""A safetensors file -> its arrays."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import ml_dtypes  # noqa: F401  gives numpy the type bfloat16
import numpy as np
from safetensors import SafetensorError, safe_open

from model_export.errors import BadCheckpoint, first_line
from model_export.weights.named_arrays import Array, Stored

TYPES = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}


def read_safetensors(path: Path, where: str) -> dict[str, Stored]:
    """The arrays of the file; the library checks its header. BadCheckpoint."""
    arrays = {}
    try:
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118  it is no dictionary
                part = file.get_slice(name)
                if part.get_dtype() not in TYPES:
                    raise BadCheckpoint(
                        where,
                        f"has a {path.name} with numbers of type {part.get_dtype()}; "
                        f"supported are {', '.join(sorted(TYPES))}",
                    )
                arrays[name] = Stored(
                    tuple(part.get_shape()), partial(_read_array, path, where, name)
                )
    except (SafetensorError, OSError) as exc:
        raise _unreadable(path, where, exc) from exc
    return arrays


def _read_array(path: Path, where: str, name: str) -> Array:
    """Opened again for each: the library maps the file, and what it read of it counts as memory
    of this process until it is closed."""
    try:
        with safe_open(path, framework="numpy") as file:
            return np.asarray(file.get_tensor(name))
    except (SafetensorError, OSError) as exc:
        raise _unreadable(path, where, exc) from exc


def _unreadable(path: Path, where: str, error: Exception) -> BadCheckpoint:
    return BadCheckpoint(where, f"has a damaged {path.name}: {first_line(error)}")

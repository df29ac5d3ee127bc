"""Many texts in two arrays: their concatenated UTF-8, and where each text ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def pack(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(e) for e in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends


def unpack(packed: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64], row: int) -> str:
    begin = ends[row - 1] if row else 0
    return packed[begin : ends[row]].tobytes().decode()


def take_packed(packed: Array, ends: Array, keep: Array) -> tuple[Array, Array]:
    lengths = np.diff(ends, prepend=0)
    return packed[np.repeat(keep, lengths)], np.cumsum(lengths[keep], dtype=np.int64)


def concat_ends(parts: Sequence[Array]) -> Array:
    offsets = np.cumsum([0] + [p[-1] if len(p) else 0 for p in parts[:-1]])
    return np.concatenate([p + offset for p, offset in zip(parts, offsets, strict=True)])

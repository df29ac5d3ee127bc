"""Vectors on their way from the reader to the index, which keeps the only copy of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.quantizer import Quantizer

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """`rows` of the catalogue (m,), growing from chunk to chunk, and their `vectors` (m, d)."""

    rows: Rows
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """The content of packs: `codes` and `vectors` (m, d), each in one piece of memory.

    `rows` (m,) of the catalogue, -1 where an entry did not count when it came.
    """

    rows: Rows
    codes: npt.NDArray[np.uint8]  # (m, bytes)
    vectors: npt.NDArray[np.float16]
    quantizer: Quantizer


Chunk = Plain | Packed


class VectorQueue:
    """What the index has not taken yet. `era`: how often the reader had started over before."""

    def __init__(self, era: int = 0) -> None:
        self.era = era
        self._chunks: deque[Chunk] = deque()

    def put(self, chunks: Sequence[Chunk]) -> None:
        self._chunks.extend(chunks)

    def next(self, rows: int) -> Chunk | None:
        """The oldest chunk if a catalogue of so many rows has it."""
        chunk = self._chunks[0] if self._chunks else None
        return chunk if chunk and chunk.rows.max() < rows else None

    def taken(self) -> None:
        """The oldest chunk is safe somewhere else."""
        self._chunks.popleft()

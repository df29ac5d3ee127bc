"""Passes vectors from the reader to the search index, which keeps the only copy."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.quantizer import Quantizer
from clipsearch.index.reader.stored_rows import StoredRows

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """`rows` (m,) of the catalogue and their `vectors` (m, d). Rows ascend across chunks, except
    those read again in place of a pack whose rows in the bucket were lost."""

    rows: Rows
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """The content of packs: `codes` (m, bytes) and `vectors` (m, d), each in one array.

    `rows` (m,) of the catalogue; -1 for entries that did not count when added. `vectors` may stay
    in the bucket. Then rows of earlier chunks may come again: they have moved to these packs.
    """

    rows: Rows
    codes: npt.NDArray[np.uint8]  # (m, bytes)
    vectors: npt.NDArray[np.float16] | StoredRows
    quantizer: Quantizer


Chunk = Plain | Packed


class VectorQueue:
    """Chunks that the index has not taken yet. `era`: how often the reader has started over."""

    def __init__(self, era: int = 0) -> None:
        self.era = era
        self._chunks: deque[Chunk] = deque()

    def put(self, chunks: Sequence[Chunk]) -> None:
        self._chunks.extend(chunks)

    def next(self, rows: int) -> Chunk | None:
        """The oldest chunk, if all its rows are below `rows`, the size of the catalogue."""
        chunk = self._chunks[0] if self._chunks else None
        return chunk if chunk and chunk.rows.max() < rows else None

    def taken(self) -> None:
        """Remove the oldest chunk, after the index has taken it."""
        self._chunks.popleft()

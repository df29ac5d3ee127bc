"""What a reader of segments builds on, if a part of the index is kept elsewhere."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Entries


class Base(Protocol):
    """Holds the winning entry of each photo in `segments`, and may hold later entries.

    A reader leaves out these segments, and of others the entries that do not win over the base.
    """

    @property
    def dimension(self) -> int:
        """Of its vectors. Segments with another one are damaged."""

    @property
    def segments(self) -> frozenset[str]: ...

    def is_news(self, entries: Entries, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(m,) which of the entries at `rows` (m,) win over the base. Raises StorageError."""

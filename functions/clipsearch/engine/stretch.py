"""Vectors in an engine's table, so that its index finds photos for texts too.

Texts lie far from photos, along a direction in which photos differ little. An index that skips
data loses texts, because it clusters photos by what makes them differ. So vectors are stretched
along that direction, and queries shrunk: products stay equal, and clusters follow texts too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

STRETCH = 6.0  # of vectors along the direction of texts


def stretched(vectors: Vectors, direction: Vectors | None, factor: float) -> Vectors:
    """`vectors` (n, d), `factor` times as long along `direction` (d,)."""
    if direction is None or not len(vectors):
        return vectors
    along = np.outer(vectors @ direction, direction)
    longer: Vectors = (vectors + (factor - 1) * along).astype(np.float32)
    return longer

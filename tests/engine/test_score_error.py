"""How much a photo's score may differ between a segment and the table: cursors allow for it."""

from __future__ import annotations

import numpy as np

from clipsearch.engine.stretch import STRETCH, stretched
from clipsearch.engine.union import Union
from clipsearch.index.search.photo_index import PhotoIndex


def test_a_cursor_allows_for_the_rounding_of_stretched_vectors() -> None:
    """In CLIP one number dominates all vectors, and the direction of texts too."""
    chance = np.random.default_rng(0)
    vectors, queries, directions = (
        chance.normal(size=(count, 512)).astype(np.float32) for count in (400, 50, 1)
    )
    for some in (vectors, queries, directions):
        some[:, 0] += 20
        some /= np.linalg.norm(some, axis=1, keepdims=True)
    direction = directions[0]
    stored = stretched(vectors, direction, STRETCH).astype(np.float16).astype(np.float32)
    scores = stored @ stretched(queries, direction, 1 / STRETCH).T
    error = float(np.abs(scores - vectors @ queries.T).max())
    assert PhotoIndex.score_error < error < Union.score_error

"""How much a photo's score may differ between a segment and a pack or a table: see InMemory."""

from __future__ import annotations

import numpy as np

from clipsearch.engine.union import Union
from clipsearch.index.search.photo_index import PhotoIndex


def test_a_cursor_allows_for_the_rounding_of_vectors() -> None:
    """In CLIP one number dominates all vectors."""
    chance = np.random.default_rng(0)
    vectors, queries = (chance.normal(size=(n, 512)).astype(np.float32) for n in (400, 50))
    for some in (vectors, queries):
        some[:, 0] += 20
        some /= np.linalg.norm(some, axis=1, keepdims=True)
    scores = vectors.astype(np.float16).astype(np.float32) @ queries.T
    error = float(np.abs(scores - vectors @ queries.T).max())
    assert 1e-4 < error < PhotoIndex.score_error == Union.score_error

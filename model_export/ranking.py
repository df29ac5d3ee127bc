"""Do both sides put the same pictures first? And how much of what tells vectors apart is kept?"""

from __future__ import annotations

from typing import Any

import numpy as np

TOP = 10
NEAR = 0.1  # a near tie: a score this part of the row's standard deviation below the last of TOP


def noise(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The root mean square distance of our vectors (N, D) from theirs, in units of the distance
    of theirs from their mean.

    A cosine alone says little: a model with random weights gives all pictures nearly the same
    vector, and any other export of it a cosine of 0.99.
    """
    spread = np.square(theirs - theirs.mean(0)).sum(1).mean()
    return float(np.sqrt(np.square(ours - theirs).sum(1).mean() / max(spread, 1e-12)))


def agreement(ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """The share of our TOP in each row of scores (N, M) that is among theirs, near ties too;
    -inf leaves a picture out. {"queries", "pictures", "top", "overlap"}."""
    shares = []
    for own, reference in zip(ours, theirs, strict=True):
        last = np.sort(reference)[-TOP]
        enough = last - NEAR * reference[np.isfinite(reference)].std()
        shares.append((reference[np.argsort(-own, kind="stable")[:TOP]] >= enough).mean())
    queries, pictures = theirs.shape
    return {
        "queries": queries,
        "pictures": pictures,
        "top": TOP,
        "overlap": float(np.mean(shares)),
    }


def among_themselves(vectors: np.ndarray) -> np.ndarray:
    """The cosine of each picture with each other one; itself left out."""
    scores: np.ndarray = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return scores

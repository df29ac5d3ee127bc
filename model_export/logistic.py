"""Logistic regression by Newton's method, for the numbers of `matching` in model.json."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEPS = 30
CONVERGED = 1e-7  # of the loss


def logistic(
    features: Floats, right: Floats, weights: Floats, ridge: float = 1e-5
) -> tuple[Floats, float]:
    """(coefficients (f,), intercept) for `features` (m, f), `right` (m,) 0 or 1, `weights` (m,).

    `ridge`: the penalty of the coefficients of standardised features.
    """
    mean, spread = features.mean(0), features.std(0) + 1e-9
    x = np.c_[(features - mean) / spread, np.ones(len(features))]
    weights = weights / weights.sum()
    penalty = ridge * np.r_[np.ones(features.shape[1]), 0]
    found = np.zeros(x.shape[1])

    def loss(at: Floats) -> float:
        logits = x @ at
        return float((weights * (np.logaddexp(0, logits) - right * logits)).sum()) + float(
            penalty @ at**2 / 2
        )

    now = loss(found)
    for _ in range(STEPS):
        share = 1 / (1 + np.exp(-np.clip(x @ found, -30, 30)))
        gradient = x.T @ (weights * (share - right)) + penalty * found
        curvature = (x * (weights * share * (1 - share))[:, None]).T @ x
        step = np.linalg.solve(curvature + np.diag(penalty + 1e-9), gradient)
        size = 1.0
        while loss(found - size * step) > now and size > 1e-4:
            size /= 2
        found = found - size * step
        before, now = now, loss(found)
        if before - now < CONVERGED:
            break
    coefficients = found[:-1] / spread
    return coefficients, float(found[-1] - coefficients @ mean)

"""The shift and the scale of each fold's channels: those with the least error to be expected.

The error of x @ W in 8 bits has two parts: the activations are rounded to steps of the tensor's
range / 255, the weights to steps of their column's scale. A large channel that is divided, and its
row of W that is multiplied, moves error from the first part to the second.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from model_export.eight_bits.activations import Channels
from model_export.eight_bits.folds import Change, Fold
from model_export.towers.linear import column_scales

ALPHAS = (0.25, 0.375, 0.5, 0.625, 0.75)
QUICK_ALPHAS = (0.5,)

# A factor of its own takes time in every run: it must at least halve the error.
WORTH_A_FACTOR = 0.5

# Scales are powers of 2 ** (1 / 4) and shifts multiples of a sixteenth of the range: the last
# digit, in which processors differ, does not change them.
PER_OCTAVE, PER_RANGE = 4, 16
DEAD = 1e-6  # a channel this part of the largest one has no range to speak of


def smooth(
    folds: Sequence[Fold],
    weights: Mapping[str, np.ndarray],
    channels: Mapping[str, Channels],
    alphas: Sequence[float] = ALPHAS,
) -> dict[Fold, Change]:
    """The changes with the least expected error; a single alpha is taken as it is.

    `channels` has the inputs of the tower's matrices by name. Folds of matrices that are not in it
    stay as they are.
    """
    found = {}
    for fold in folds:
        seen = [channels[name] for name in fold.inputs if name in channels]
        if seen:
            joined = functools.reduce(Channels.join, seen)
            matrix = np.concatenate([weights[f"{part}.weight"] for part in fold.parts]).T
            change = _best(joined, matrix, alphas, movable=bool(fold.source))
            if change is not None:
                found[fold] = change
    return found


def _best(
    channels: Channels, matrix: np.ndarray, alphas: Sequence[float], movable: bool
) -> Change | None:
    """`matrix` (in, out). None: as it is. Without a source there is no shift to be had."""
    ones, zeros = np.ones(len(matrix)), np.zeros(len(matrix))
    shift = _middle(channels) if movable else zeros
    candidates = [Change(shift, _scale(channels, shift, matrix, alpha)) for alpha in alphas]
    if movable and len(candidates) == 1:
        return candidates[0]  # no search
    if movable:
        candidates.append(Change(shift, ones))
    errors = [expected_error(channels, matrix, change) for change in candidates]
    least = int(np.argmin(errors))
    as_it_is = expected_error(channels, matrix, Change(zeros, ones))
    enough = 1.0 if movable else WORTH_A_FACTOR
    return candidates[least] if errors[least] < enough * as_it_is else None


def expected_error(channels: Channels, matrix: np.ndarray, change: Change) -> float:
    """The root of the summed squares of what 8 bits change in a row of x @ `matrix`."""
    scaled = (matrix * change.scale[:, None]).astype(np.float32)
    low = np.minimum(((channels.low - change.shift) / change.scale).min(), 0)
    high = np.maximum(((channels.high - change.shift) / change.scale).max(), 0)
    of_activations = ((high - low) / 255) ** 2 * np.square(scaled, dtype=np.float64).sum()
    size = (channels.mean_square(change.shift) / change.scale**2).sum()
    of_weights = np.square(column_scales(scaled), dtype=np.float64).sum() * size
    return float(np.sqrt((of_activations + of_weights) / 12))  # uniform within a step


def _middle(channels: Channels) -> np.ndarray:
    """(in,): the middle of each range."""
    half = np.maximum((channels.high - channels.low) / 2, 1e-12)
    step = 2.0 ** np.floor(np.log2(half)) / PER_RANGE
    middle: np.ndarray = np.rint((channels.high + channels.low) / 2 / step) * step
    return middle


def _scale(channels: Channels, shift: np.ndarray, matrix: np.ndarray, alpha: float) -> np.ndarray:
    """(in,): SmoothQuant's range ** alpha / weight ** (1 - alpha), around 1."""
    size = np.maximum(channels.high - shift, shift - channels.low)
    weight = np.abs(matrix).max(1).astype(np.float64)
    alive = (size > DEAD * size.max()) & (weight > DEAD * weight.max())
    octaves = np.zeros(len(size))
    octaves[alive] = alpha * np.log2(size[alive]) - (1 - alpha) * np.log2(weight[alive])
    octaves[alive] -= np.median(octaves[alive]) if alive.any() else 0
    scale: np.ndarray = 2.0 ** (np.rint(octaves * PER_OCTAVE) / PER_OCTAVE)
    return scale

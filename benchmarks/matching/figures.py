"""The figures: F1, what is said of good and of senseless queries, and calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.matching.world import MOST_ANSWERS, World, sample_of
from cli.evaluate.calibration import calibration
from clipsearch.matching import Rule

PAGE = 24
SMALL = (1, 5, 30)
SKEWED = (0.5, 0.95)
DRAWN = 1_000  # small libraries
LEAST_SHOWN = 30  # photos of the thing in a skewed library


@dataclass(frozen=True)
class Figure:
    what: str
    value: float
    goal: str = ""


def figures(world: World) -> Iterator[Figure]:
    rng = np.random.default_rng(1)
    rule, good = world.matching.text, world.texts.is_good
    found, scores, limits = _found(rule, world.texts.vectors, world.photos)
    right = world.texts.right
    macro, pooled = f1(found[good], right[good])
    yield Figure("texts, F1 over all their answers", pooled, "0.93")
    yield Figure("texts, mean F1 of a query", macro)
    yield Figure(
        "texts, mean F1 with the best threshold for each query", _best(scores, right, good)
    )
    yield Figure("texts, F1 with the best threshold for all", _best_flat(scores[good], right[good]))
    senseless, _, _ = _found(rule, world.beyond, world.photos)
    yield Figure("senseless queries, “nothing matches well”", _none(senseless), "0.90")
    yield Figure("good queries, “nothing matches well”", _none(found[good]), "at most 0.02")
    page = np.argsort(-scores[good], axis=1)[:, :PAGE]
    shown = np.take_along_axis(scores[good], page, 1)
    steps = np.clip(rule.slope * (shown - limits[good][:, None]), -40, 40)
    confidences = 1 / (1 + np.exp(-steps))
    truth = np.take_along_axis(right[good], page, 1)
    error = calibration(confidences.ravel(), truth.ravel()).error
    yield Figure("expected calibration error of a first page", error, "at most 0.05")
    for size in SMALL:
        says, silent = _small(world, size, rng)
        yield Figure(f"a library of {size}, a true match is good", says, "0.90")
        yield Figure(f"a library of {size} without a match, none is good", silent)
    for share in SKEWED:
        says, its = _skewed(world, share, rng)
        yield Figure(f"{share:.0%} of a library match, a true match is good", says, "0.90")
        yield Figure(f"{share:.0%} of a library match, mean F1", its)
    yield from _of_pictures(world)


def _of_pictures(world: World) -> Iterator[Figure]:
    asked, good = world.pictures, world.pictures.is_good
    found, _, _ = _found(world.matching.picture, asked.vectors, world.photos)
    macro, pooled = f1(found[good], asked.right[good])
    yield Figure("pictures, F1 over all their answers", pooled, "0.93")
    yield Figure("pictures, mean F1 of a query", macro)
    absent = ~asked.right.any(1)
    yield Figure("pictures of absent scenes, “nothing matches well”", _none(found[absent]), "0.90")
    yield Figure("good pictures, “nothing matches well”", _none(found[good]), "at most 0.02")


def f1(found: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """(the mean over queries, the value over all pairs) of (q, n) bool each."""
    both, total = 2 * (found & right).sum(1), found.sum(1) + right.sum(1)
    return float((both / np.maximum(1, total)).mean()), float(both.sum() / max(1, total.sum()))


def _found(
    rule: Rule, vectors: np.ndarray, photos: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which photos are good matches (q, n), the scores (q, n), the thresholds (q,)."""
    sample, scores = sample_of(photos), vectors @ photos.T
    limits = np.array([rule.threshold(vector, sample) for vector in vectors])
    return scores >= limits[:, None], scores, limits


def _none(found: np.ndarray) -> float:
    return float((~found.any(1)).mean())


def _best(scores: np.ndarray, right: np.ndarray, good: np.ndarray) -> float:
    """What the order allows: the mean of each query's best F1."""
    return float(np.mean([_curve(scores[i], right[i]).max() for i in np.flatnonzero(good)]))


def _best_flat(scores: np.ndarray, right: np.ndarray) -> float:
    return float(_curve(scores.ravel(), right.ravel()).max())


def _curve(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """F1 of the first 1, 2, … by score."""
    hits = np.cumsum(right[np.argsort(-scores)])
    curve: np.ndarray = 2 * hits / (np.arange(1, len(scores) + 1) + right.sum())
    return curve


def _small(world: World, size: int, rng: np.random.Generator) -> tuple[float, float]:
    """(with a match: one is good; without: none is), over random libraries of this size."""
    rule, asked = world.matching.text, world.texts
    says, silent = [], []
    for row in rng.choice(np.flatnonzero(asked.is_good), DRAWN):
        vector, right = asked.vectors[row], asked.right[row]
        there = rng.choice(len(world.photos), size, replace=False)
        if not right[there].any():
            silent.append(not _good(rule, vector, world.photos[there]).any())
        there[0] = rng.choice(np.flatnonzero(right))
        says.append((_good(rule, vector, world.photos[there]) & right[there]).any())
    return float(np.mean(says)), float(np.mean(silent))


def _skewed(world: World, share: float, rng: np.random.Generator) -> tuple[float, float]:
    """(a true match is good, mean F1), for libraries in which this share matches."""
    rule, asked = world.matching.text, world.texts
    says, scores = [], []
    for row in range(len(asked.vectors)):
        right = np.flatnonzero(asked.right[row])
        if len(right) < LEAST_SHOWN:
            continue
        right = rng.permutation(right)[: 2 * MOST_ANSWERS]
        others = rng.choice(
            np.flatnonzero(~asked.right[row]), round(len(right) * (1 - share) / share), False
        )
        there = np.concatenate([right, others])
        found = _good(rule, asked.vectors[row], world.photos[there])
        truth = asked.right[row][there]
        says.append((found & truth).any())
        scores.append(f1(found[None], truth[None])[0])
    return float(np.mean(says)), float(np.mean(scores))


def _good(rule: Rule, vector: np.ndarray, photos: np.ndarray) -> np.ndarray:
    good: np.ndarray = photos @ vector >= rule.threshold(vector, sample_of(photos))
    return good

"""How well `match` and `confidence` of the answers fit the captions, and numbers that fit better.

Right for a caption are its own photo and those with the same caption. Other photos that it also
describes count as wrong, so the figures are lower bounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cli.common.errors import RunError
from cli.evaluate.calibration import calibration
from cli.evaluate.library import Library, Vectors
from cli.evaluate.recall import BLOCK_SCORES, Ranks
from clipsearch.matching import Matching, Rule
from clipsearch.model.bundle import MODEL_JSON
from clipsearch.storage import Bucket
from model_export.logistic import logistic

PAGE = 24  # results of a first page
LEAST_CAPTIONS = 50  # to fit two numbers

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """m captions: `texts`, their `vectors` (m, d), and the row of their photo: `photo` (m,).

    `gallery` (g, d): the photos that are searched; -1 in `photo`: not among them.
    """

    texts: Sequence[str]
    vectors: Vectors
    photo: Ranks
    gallery: Vectors


def measure_matching(library: Library, judged: Judged, matching: Matching) -> dict[str, Any]:
    """The figures of a model's numbers for texts."""
    limits = _limits(library, judged.vectors, matching.text)
    f1s, both, total, none = [], 0, 0, 0
    confidences, rights = [], []
    for rows, scores, right in _blocks(judged):
        found = scores >= limits[rows, None]
        counts = found.sum(1) + right.sum(1)
        f1s.append(2 * (found & right).sum(1) / counts.clip(min=1))
        both, total = both + 2 * int((found & right).sum()), total + int(counts.sum())
        none += int((~found.any(1)).sum())
        page = _page(scores)
        steps = matching.text.slope * (np.take_along_axis(scores, page, 1) - limits[rows, None])
        confidences.append(1 / (1 + np.exp(-steps.clip(-40, 40))))
        rights.append(np.take_along_axis(right, page, 1))
    return {
        "fitted": matching.fitted,
        "slope": matching.text.slope,
        "offset": matching.text.offset,
        "f1": both / max(1, total),
        "f1_mean": float(np.concatenate(f1s).mean()),
        "nothing": none / len(judged.texts),
        "calibration": calibration(
            np.concatenate([part.ravel() for part in confidences]),
            np.concatenate([part.ravel() for part in rights]),
        ).as_dict(),
    }


def fit_matching(library: Library, judged: Judged, matching: Matching, file: str) -> Matching:
    """`matching` with a slope and an offset for texts that fit the first pages of the captions.

    Raises RunError if there are too few captions, or if scores do not tell right from wrong.
    """
    asked = np.count_nonzero(judged.photo >= 0)
    if asked < LEAST_CAPTIONS:
        raise RunError(
            f"--fit needs {LEAST_CAPTIONS} captions of indexed photos; there are {asked}"
        )
    limits = _limits(library, judged.vectors, dataclasses.replace(matching.text, shift=0.0))
    above, rights = [], []
    for rows, scores, right in _blocks(judged):
        page = _page(scores)
        above.append((np.take_along_axis(scores, page, 1) - limits[rows, None]).ravel())
        rights.append(np.take_along_axis(right, page, 1).ravel())
    features, truth = np.concatenate(above).astype(float)[:, None], np.concatenate(rights)
    found, intercept = logistic(features, truth.astype(float), np.ones(len(truth)))
    slope = float(found[0])
    if not (np.isfinite(slope) and slope > 0 and truth.any() and not truth.all()):
        raise RunError("--fit found no threshold: right photos do not score higher than others")
    moved = matching.text.offset - intercept / slope
    text = dataclasses.replace(matching.text, slope=round(slope, 2), offset=round(moved, 4))
    return dataclasses.replace(matching, text=text, fitted=file)


def write_matching(bucket: Bucket, library: Library, matching: Matching) -> None:
    """Put the numbers into the model.json of the index. Raises StorageError."""
    bundle = dataclasses.replace(library.model.encoder.bundle, matching=matching)
    name = f"models/{bundle.space}/{MODEL_JSON}"
    generation = bucket.stat(name).generation
    bucket.replace(name, generation, bundle.to_json(), "application/json")


def _limits(library: Library, vectors: Vectors, rule: Rule) -> npt.NDArray[np.float64]:
    """(m,) the thresholds of texts (m, d), as `search` computes them."""
    direction = library.model.encoder.bundle.text_direction
    neutral = None if direction is None else np.array(direction, np.float32)
    sample = library.state.index.sample
    return np.array([rule.threshold(vector, sample, neutral) for vector in vectors])


def _page(scores: Vectors) -> Ranks:
    """(m, p) the places of the best PAGE of scores (m, g), in any order."""
    count = min(PAGE, scores.shape[1])
    return np.argpartition(-scores, count - 1, axis=1)[:, :count]


def _blocks(judged: Judged) -> Iterator[tuple[slice, Vectors, Booleans]]:
    """Rows of captions, their scores (q, g), and which photos are right (q, g)."""
    number = {text: i for i, text in enumerate(dict.fromkeys(judged.texts))}
    same = np.array([number[text] for text in judged.texts])
    size = max(1, BLOCK_SCORES // max(1, len(judged.gallery)))
    for begin in range(0, len(judged.texts), size):
        rows = slice(begin, begin + size)
        scores = judged.vectors[rows] @ judged.gallery.T
        right = np.zeros(scores.shape, bool)
        for place, text in enumerate(same[rows].tolist()):
            photos = judged.photo[same == text]
            right[place, photos[photos >= 0]] = True
        yield rows, scores, right

"""Does a bundle give what its checkpoint gives? Asked of the very code that runs in production.

Two questions, each with its bounds. Is the export right? The graphs in fp32 must give the vectors
of an independent forward pass to the fourth decimal: what 8 bits cost cannot hide a wrong crop,
order of channels or end token. Are 8 bits enough? The noise they add must be small beside the
differences between pictures, and the same pictures must come first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import Tower
from model_export.checkpoint import Checkpoint
from model_export.expected import Expected
from model_export.ranking import TOP, agreement, among_themselves, noise

# fp32 is the same arithmetic in another order: measured 2e-7, and a noise of 3e-6.
MAX_DIFFERENCE = 1e-4

# Measured in 8 bits, with random weights: noise 0.06 (text) and 0.05 (image) for ViT-B/32,
# where a noise of 0.25 leaves 94 % of the variance; overlap 0.98 and more. Tiny models are the
# worst, with a noise of 0.10 and a least cosine of 0.985.
LEAST_COSINE = {"fp32": 0.999999, "int8": 0.95}
MOST_NOISE = {"fp32": 0.01, "int8": 0.25}
LEAST_OVERLAP = {"fp32": 0.99, "int8": 0.8}
LOGITS = 1e-6  # relative: scale and bias

INPUTS: dict[Tower, str] = {"text": "tokens_equal", "image": "pixels_equal"}


class NotEqual(Exception):
    """The bundle is too far from its checkpoint; the message lists what is out of bounds.

    `coarse`: the towers for which 8 bits are not enough.
    """

    def __init__(
        self, problems: list[str], report: dict[str, Any], coarse: Sequence[Tower] = ()
    ) -> None:
        self.problems, self.report, self.coarse = problems, report, coarse
        super().__init__("the export differs from the checkpoint: " + "; ".join(problems))


def verify_exact(folder: Path, expected: Expected) -> dict[str, Any]:
    """Compare a bundle in fp32; NotEqual unless it equals the reference to the fourth decimal."""
    return _verify(Encoder.from_folder(folder), expected)


def verify(folder: Path, checkpoint: Checkpoint, expected: Expected) -> dict[str, Any]:
    """Compare the bundle in `folder`; returns the report.

    Raises NotEqual when tokens or pixels differ at all, or vectors, ranking, logit scale or bias
    too much.
    """
    encoder = Encoder.from_folder(folder)
    report = _verify(encoder, expected)
    report |= {"logit_scale": encoder.logit_scale, "logit_bias": encoder.logit_bias}
    for name in ("logit_scale", "logit_bias"):
        ours, theirs = report[name], getattr(checkpoint, name)
        if not math.isclose(ours, theirs, rel_tol=LOGITS):
            raise NotEqual(
                [f"{name.replace('_', ' ')}: {ours}, the checkpoint's is {theirs}"], report
            )
    report["bytes"] = dict(encoder.bundle.sizes)
    return report


def _verify(encoder: Encoder, expected: Expected) -> dict[str, Any]:
    precision = encoder.bundle.precision
    text, image = _text_vectors(encoder, expected), _image_vectors(encoder, expected)
    report = {
        "text": {
            "precision": precision["text"],
            **compare(text, expected.text),
            "tokens_equal": _equal_tokens(encoder, expected),
        },
        "image": {
            "precision": precision["image"],
            **compare(image, expected.image),
            "pixels_equal": _equal_pixels(encoder, expected),
        },
        "ranking": _ranking(text, image, expected),
    }
    towers = {tower: _tower_problems(report, tower) for tower in INPUTS}
    problems = [*itertools.chain(*towers.values()), *_ranking_problems(report)]
    if problems:
        small = [tower for tower in INPUTS if precision[tower] == "int8"]
        raise NotEqual(problems, report, [tower for tower in small if towers[tower]] or small)
    return report


def _ranking(text: np.ndarray, image: np.ndarray, expected: Expected) -> dict[str, Any]:
    """Empty if there are too few pictures for a ranking."""
    if len(image) <= 2 * TOP:
        return {}
    return {
        "text_to_image": agreement(text @ image.T, expected.text @ expected.image.T),
        "image_to_image": agreement(among_themselves(image), among_themselves(expected.image)),
    }


def compare(vectors: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    return {
        "samples": len(vectors),
        "max_difference": float(np.abs(vectors - reference).max()),
        "least_cosine": float((vectors * reference).sum(1).min()),
        "noise": noise(vectors, reference),
    }


def _tower_problems(report: dict[str, Any], tower: Tower) -> list[str]:
    problems = []
    found, inputs = report[tower], INPUTS[tower]
    precision = found["precision"]
    name = f"{tower} in {precision}"
    if found[inputs] != found["samples"]:
        problems.append(f"{tower}: {inputs} for {found[inputs]} of {found['samples']}")
    if precision == "fp32" and not found["max_difference"] <= MAX_DIFFERENCE:
        problems.append(
            f"{name}: a value differs by {found['max_difference']:.1e}, "
            f"{MAX_DIFFERENCE:.0e} is allowed"
        )
    if not found["least_cosine"] >= LEAST_COSINE[precision]:
        problems.append(
            f"{name}: a cosine of {found['least_cosine']:.6f}, "
            f"at least {LEAST_COSINE[precision]} is demanded"
        )
    if not found["noise"] <= MOST_NOISE[precision]:
        problems.append(
            f"{name}: a noise of {found['noise']:.3f} of what tells vectors apart, "
            f"{MOST_NOISE[precision]} is allowed"
        )
    return problems


def _ranking_problems(report: dict[str, Any]) -> list[str]:
    precisions = {report[tower]["precision"] for tower in ("text", "image")}
    least = min(LEAST_OVERLAP[precision] for precision in precisions)
    return [
        f"{name.replace('_', ' ')}: {found['overlap']:.3f} of the first {found['top']} are the "
        f"same, at least {least} is demanded"
        for name, found in report["ranking"].items()
        if not found["overlap"] >= least
    ]


def _equal_tokens(encoder: Encoder, expected: Expected) -> int:
    rows, _ = encoder.tokenize(expected.sentences)
    return sum(row == reference for row, reference in zip(rows, expected.tokens, strict=True))


def _text_vectors(encoder: Encoder, expected: Expected) -> np.ndarray:
    """Half of the texts alone, as `search` encodes them; the rest in batches, which are padded.
    Both halves have short texts and long ones."""
    by_length = sorted(range(len(expected.tokens)), key=lambda i: len(expected.tokens[i]))
    alone, together = by_length[::2], by_length[1::2]
    vectors = np.empty((len(by_length), encoder.dim), np.float32)
    vectors[together] = encoder.encode_text([expected.sentences[i] for i in together]).vectors
    for number in alone:
        vectors[number] = encoder.encode_text([expected.sentences[number]]).vectors[0]
    return vectors


def _image_vectors(encoder: Encoder, expected: Expected) -> np.ndarray:
    return encoder.encode_image([encoder.decode(photo).square for photo in expected.photos])


def _equal_pixels(encoder: Encoder, expected: Expected) -> int:
    ours = (np.asarray(encoder.decode(photo).square) for photo in expected.photos)
    return sum(map(np.array_equal, ours, expected.squares))

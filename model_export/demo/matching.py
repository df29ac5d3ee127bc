"""Fit the numbers of `matching` to drawn scenes, into the model.json of the demo's bundle.

python -m model_export.demo.matching [--bundle FOLDER]

The towers stay as they are, and so does the space. Training scenes are used, newly drawn.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch.matching import Matching, Rule
from clipsearch.model.bundle import MODEL_JSON, Bundle, read_bundle
from clipsearch.model.encoder import Encoder
from model_export.demo import BUNDLE
from model_export.demo.evaluate import embed
from model_export.demo.questions import Truth, beyond, questions
from model_export.demo.scenes import Scene, held_out, random_scene
from model_export.logistic import logistic

SEED = 11_2026
PHOTOS, TEXTS, BEYOND, PICTURES = 4_000, 5_000, 700, 400
SHIFT = 0.03  # the error of a threshold, as a standard deviation of cosines
RIGHT, HARD, OTHER = 15, 12, 12  # products of each query that are used, at most
OTHERS_UP_TO = 150  # the last rank of the others
TRIED = np.linspace(-0.03, 0.01, 9)  # corrections of the offset
CHECKED = 600  # texts for that


@dataclass(frozen=True, slots=True)
class Products:
    """Of q queries with the scenes: `values` (m,), whose they are (m,), and if they match (m,)."""

    values: np.ndarray
    query: np.ndarray
    right: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Each query counts as much as any other."""
        weights: np.ndarray = 1 / np.bincount(self.query)[self.query]
        return weights


def fit_demo(bundle: Path) -> Matching:
    """The numbers for the bundle in this folder."""
    rng = np.random.default_rng(SEED)
    encoder = Encoder.from_folder(bundle)
    scenes = training_scenes(PHOTOS, rng)
    photos = embed(encoder, scenes, rng, "scenes for matching")
    text = _fit_text(encoder, scenes, photos, rng)
    return Matching(text, _fit_picture(encoder, scenes, photos, rng), "drawn scenes")


def training_scenes(count: int, rng: np.random.Generator) -> list[Scene]:
    drawn = (random_scene(rng) for _ in range(2 * count))
    return [scene for scene in drawn if not held_out(scene)][:count]


def _fit_text(
    encoder: Encoder, scenes: list[Scene], photos: np.ndarray, rng: np.random.Generator
) -> Rule:
    texts, facts = questions(TEXTS, scenes, rng)
    vectors = encoder.encode_text([*texts, *beyond(BEYOND, rng, half=0)]).vectors
    truth = Truth(scenes)
    right = np.array([truth.of(each) for each in facts])
    right = np.concatenate([right, np.zeros((BEYOND, len(scenes)), bool)])
    products = _chosen(vectors @ photos.T, right, rng)
    features = np.c_[products.values, vectors[products.query]].astype(float)
    found, intercept = logistic(features, products.right, products.weights)
    rule = Rule(
        slope=round(float(found[0]), 2),
        offset=-intercept / float(found[0]),
        shift=SHIFT,
        direction=tuple((-found[1:] / found[0]).round(5).tolist()),
    )
    return _corrected(rule, vectors[:CHECKED], right[:CHECKED], photos)


def _corrected(rule: Rule, vectors: np.ndarray, right: np.ndarray, photos: np.ndarray) -> Rule:
    """The offset with the best F1: a query with few matches is worth more than its products say."""

    def rule_at(move: float) -> Rule:
        return dataclasses.replace(rule, offset=round(rule.offset + move, 4))

    def f1(candidate: Rule) -> float:
        limits = np.array([candidate.threshold(vector, photos) for vector in vectors])
        found = vectors @ photos.T >= limits[:, None]
        both = 2 * (found & right).sum(1)
        return float((both / np.maximum(1, found.sum(1) + right.sum(1))).mean())

    return max((rule_at(float(move)) for move in TRIED), key=f1)


def _fit_picture(
    encoder: Encoder, scenes: list[Scene], photos: np.ndarray, rng: np.random.Generator
) -> Rule:
    """A picture matches if it shows the same scene, drawn again."""
    asked = [scenes[i] for i in rng.choice(len(scenes), PICTURES, replace=False)]
    asked += [random_scene(rng) for _ in range(PICTURES // 2)]
    vectors = embed(encoder, asked, rng, "pictures for matching")
    described = np.array([scene.describe() for scene in scenes])
    right = np.array([described == scene.describe() for scene in asked])
    products = _chosen(vectors @ photos.T, right, rng)
    found, intercept = logistic(products.values[:, None], products.right, products.weights)
    slope = float(found[0])
    return Rule(slope=round(slope, 2), offset=round(-intercept / slope, 4))


def _chosen(scores: np.ndarray, right: np.ndarray, rng: np.random.Generator) -> Products:
    """Of each query some that match, the best that do not, and some behind those."""
    chosen = []
    for row, (values, is_right) in enumerate(zip(scores, right, strict=True)):
        matching = rng.permutation(np.flatnonzero(is_right))[:RIGHT]
        wrong = np.flatnonzero(~is_right)
        wrong = wrong[np.argsort(-values[wrong])][:OTHERS_UP_TO]
        wrong = np.concatenate([wrong[:HARD], rng.permutation(wrong[HARD:])[:OTHER]])
        at = np.concatenate([matching, wrong])
        chosen.append((values[at], np.full(len(at), row), is_right[at].astype(float)))
    values, query, is_right = (np.concatenate(part) for part in zip(*chosen, strict=True))
    return Products(values.astype(float), query, is_right)


def write_matching(folder: Path, matching: Matching) -> Bundle:
    """Put the numbers into the model.json of a bundle; nothing else changes."""
    bundle = dataclasses.replace(read_bundle(folder).bundle, matching=matching)
    (folder / MODEL_JSON).write_bytes(bundle.to_json())
    return bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    folder = parser.parse_args().bundle
    matching = fit_demo(folder)
    write_matching(folder, matching)
    for name, rule in (("text", matching.text), ("picture", matching.picture)):
        print(f"{name}: slope {rule.slope}, offset {rule.offset}, shift {rule.shift}")


if __name__ == "__main__":
    main()

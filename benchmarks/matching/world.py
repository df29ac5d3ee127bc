"""A library of held-out scenes, and questions with their true answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsearch.index.search.state import SAMPLE
from clipsearch.matching import Matching
from clipsearch.model.encoder import Encoder
from model_export.demo.evaluate import embed
from model_export.demo.questions import Truth, beyond, questions
from model_export.demo.scenes import Scene, held_out, random_scene

SEED = 12_2026
QUESTIONS, BEYOND, PICTURES = 1_500, 200, 500
MOST_ANSWERS = 200


@dataclass(frozen=True)
class Asked:
    """`vectors` (q, d), and which of the n photos are true answers: `right` (q, n)."""

    vectors: np.ndarray
    right: np.ndarray

    @property
    def is_good(self) -> np.ndarray:
        """(q,): the queries with 1 to MOST_ANSWERS true answers."""
        answers = self.right.sum(1)
        good: np.ndarray = (answers >= 1) & (answers <= MOST_ANSWERS)
        return good


@dataclass(frozen=True)
class World:
    """`photos` (n, d), and what is asked of them."""

    matching: Matching
    photos: np.ndarray
    texts: Asked
    beyond: np.ndarray
    pictures: Asked


def make_world(bundle: Path, count: int) -> World:
    """`count` held-out scenes. The same in every run. Raises ValueError for an older bundle."""
    rng = np.random.default_rng(SEED)
    encoder = Encoder.from_folder(bundle)
    if encoder.bundle.matching is None:
        raise ValueError(f"{bundle} has no numbers; run python -m model_export.demo.matching")
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = random_scene(rng)
        if held_out(scene):
            scenes.append(scene)
    photos = embed(encoder, scenes, rng, "library")
    texts, facts = questions(QUESTIONS, scenes, rng)
    truth = Truth(scenes)
    shown = [scenes[i] for i in rng.choice(len(scenes), PICTURES, replace=False)]
    shown += [random_scene(rng) for _ in range(PICTURES // 2)]
    described = np.array([scene.describe() for scene in scenes])
    return World(
        matching=encoder.bundle.matching,
        photos=photos,
        texts=Asked(encoder.encode_text(texts).vectors, np.array([truth.of(f) for f in facts])),
        beyond=encoder.encode_text(beyond(BEYOND, rng, half=1)).vectors,
        pictures=Asked(
            embed(encoder, shown, rng, "pictures"),
            np.array([described == scene.describe() for scene in shown]),
        ),
    )


def sample_of(photos: np.ndarray) -> np.ndarray:
    """As many as the index keeps; the scenes are in random order."""
    return photos[:SAMPLE]

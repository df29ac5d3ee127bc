"""The library of the benchmark: drawn scenes, embedded once and kept in build/bench/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clipsearch.model.encoder import Encoder
from model_export.demo.evaluate import embed
from model_export.demo.scenes import Scene, random_scene

SCENES = 10_000
EXAMPLES = 200
SEED = 17

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class World:
    """`vectors` (n, d) of the pictures of n `scenes`; `example_vectors` (m, d) of m `examples`.

    The examples are pictures to search by; each has one kind of thing, and none is in the library.
    """

    scenes: list[Scene]
    vectors: Vectors
    examples: list[Scene]
    example_vectors: Vectors


def load(encoder: Encoder, folder: Path, count: int = SCENES) -> World:
    """The world, from `folder` if a run before has drawn and embedded it."""
    rng = np.random.default_rng(SEED)
    scenes = [random_scene(rng) for _ in range(count)]
    examples: list[Scene] = []
    while len(examples) < EXAMPLES:
        scene = random_scene(rng)
        if len(scene.groups) == 1:
            examples.append(scene)
    kept = folder / f"terms-{encoder.space}-{count}.npz"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        vectors = embed(encoder, scenes, rng, "library")
        np.savez(kept, library=vectors, examples=embed(encoder, examples, rng, "examples"))
    with np.load(kept) as arrays:
        return World(scenes, arrays["library"], examples, arrays["examples"])

"""The samples on which channels are measured. None of them is a sample of the verification."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from clipsearch.images.preprocess import preprocess
from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import Tower
from model_export import samples
from model_export.demo.scenes import Scene, draw, held_out, random_scene

SEED = 71  # samples.py has 0 and 1
EACH = 12  # of two kinds of texts, and of two kinds of pictures
SIZE = 240  # pixels of a picture's side
LONGEST = 40  # words: more than most queries have

# The inputs of one run of a tower; a batch of one, as 8 bits have it.
Feed: TypeAlias = dict[str, np.ndarray]


def feeds(folder: Path, tower: Tower, count: int | None = None) -> list[Feed]:
    """The inputs of `tower` of the bundle in `folder`: `count` of the samples, evenly spread, or
    all of them for None."""
    encoder = Encoder.from_folder(folder)
    if tower == "text":
        rows, _ = encoder.tokenize(samples.spread(sentences(), count))
        padding = encoder.bundle.variant.padding
        if padding and padding.length:
            rows = [row + [padding.token] * (padding.length - len(row)) for row in rows]
        return [{"input_ids": np.array([row], np.int64)} for row in rows]
    squares = (preprocess(image, encoder.image_size) for image in samples.spread(pictures(), count))
    return [{"pixels": np.asarray(square)[None]} for square in squares]


def sentences() -> list[str]:
    """Descriptions of scenes, and random words of several languages."""
    rng = np.random.default_rng(SEED)
    words = samples.WORDS.split()
    lengths = np.geomspace(1, LONGEST, EACH).astype(int)
    mixed = [" ".join(rng.choice(words, length)) for length in lengths]
    return [*(scene.describe() for scene in _scenes(rng)), *mixed]


def pictures() -> list[Image.Image]:
    """Drawn scenes and textures, square: a crop has no part in this."""
    rng = np.random.default_rng(SEED)
    drawn = [draw(scene, SIZE, rng) for scene in _scenes(rng)]
    return [*drawn, *(samples.texture(rng, SIZE, SIZE) for _ in range(EACH))]


def _scenes(rng: np.random.Generator) -> list[Scene]:
    """None that measures the demo model."""
    scenes: list[Scene] = []
    while len(scenes) < EACH:
        scene = random_scene(rng)
        if not held_out(scene):
            scenes.append(scene)
    return scenes

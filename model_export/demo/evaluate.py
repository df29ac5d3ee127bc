"""Measure a bundle on held-out pictures and descriptions: `make evaluate-demo`.

It uses the encoder of the functions (ONNX Runtime, no torch), prints a table, and writes the same
figures to build/bench/demo-model.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from clipsearch.model.bundle import read_bundle
from clipsearch.model.encoder import Encoder
from model_export.demo import BUNDLE
from model_export.demo.captions import Facts
from model_export.demo.drawing import COLOURS, PLACES, THINGS
from model_export.demo.scenes import (
    MAX_COUNT,
    PLACE_PHRASES,
    Group,
    Scene,
    draw,
    held_out,
    random_scene,
)
from model_export.text_template import asked_template

DESCRIPTIONS = 1_000
GALLERY = 5_000
PICTURE_SIZE = 320  # pixels; larger than the input of any tower
SEED = 7_2026
BATCH = 64


def held_out_scenes(count: int, rng: np.random.Generator) -> list[Scene]:
    """`count` scenes with distinct descriptions, held out of training."""
    scenes: dict[str, Scene] = {}
    while len(scenes) < count:
        scene = random_scene(rng)
        if held_out(scene):
            scenes[scene.describe()] = scene
    return list(scenes.values())


def embed(encoder: Encoder, scenes: list[Scene], rng: np.random.Generator, what: str) -> np.ndarray:
    """Draw each scene and encode it: (len(scenes), dim) float32."""
    vectors = []
    for begin in tqdm(range(0, len(scenes), BATCH), desc=what, unit="batch"):
        pictures: list[Image.Image] = [
            draw(s, PICTURE_SIZE, rng) for s in scenes[begin : begin + BATCH]
        ]
        vectors.append(encoder.encode_image(pictures))
    return np.concatenate(vectors)


def recall(queries: np.ndarray, gallery: np.ndarray, k: int) -> float:
    """Share of queries with their own row of the gallery among the k nearest."""
    scores = queries @ gallery.T
    better = (scores > np.diag(scores)[:, None]).sum(1)
    return float((better < k).mean())


@dataclass(frozen=True, slots=True)
class Query:
    """A search text, and the condition for a right answer."""

    text: str
    facts: Facts


def one_thing_queries() -> list[Query]:
    """ "a red car": any number of red cars is right."""
    pairs = product(THINGS, COLOURS)
    return [Query(Group(t, c, 1).describe(), Facts((Group(t, c, 0),), "")) for t, c in pairs]


def counted_queries() -> list[Query]:
    """ "two blue mushrooms": exactly two."""
    groups = [Group(t, c, n) for t, c, n in product(THINGS, COLOURS, range(2, MAX_COUNT + 1))]
    return [Query(g.describe(), Facts((g,), "")) for g in groups]


def placed_queries() -> list[Query]:
    """ "a white boat at sunset"."""
    return [
        Query(f"{Group(t, c, 1).describe()} {PLACE_PHRASES[p]}", Facts((Group(t, c, 0),), p))
        for t, c, p in product(THINGS, COLOURS, PLACES)
    ]


def precision_at_5(
    queries: list[Query], encoder: Encoder, scenes: list[Scene], gallery: np.ndarray
) -> float:
    """Share of right answers among the first five, over queries with five right pictures."""
    precisions = []
    for query, vector in zip(
        queries, encoder.encode_text([q.text for q in queries]).vectors, strict=True
    ):
        right = np.array([query.facts.true_of(s) for s in scenes])
        if right.sum() >= 5:
            precisions.append(right[np.argsort(-(gallery @ vector))[:5]].mean())
    return float(np.mean(precisions))


def opened(folder: Path, text_template: str | None) -> Encoder:
    """The bundle in a folder; with another text template than its own, if it is not None."""
    local = read_bundle(folder)
    if text_template is None:
        return Encoder(local)
    template = asked_template(text_template)
    variant = dataclasses.replace(local.bundle.variant, text_template=template)
    bundle = dataclasses.replace(local.bundle, variant=variant)
    return Encoder(dataclasses.replace(local, bundle=bundle))


def evaluate(encoder: Encoder) -> dict[str, float]:
    rng = np.random.default_rng(SEED)
    scenes = held_out_scenes(DESCRIPTIONS, rng)
    drawn = embed(encoder, scenes, rng, "held-out scenes")
    again = embed(encoder, scenes, rng, "drawn again")
    texts = encoder.encode_text([s.describe() for s in scenes]).vectors
    library = [random_scene(rng) for _ in range(GALLERY)]
    gallery = embed(encoder, library, rng, "library")

    def precision(queries: Callable[[], list[Query]]) -> float:
        return precision_at_5(queries(), encoder, library, gallery)

    return {
        "text_to_image_r1": recall(texts, drawn, 1),
        "text_to_image_r5": recall(texts, drawn, 5),
        "image_to_text_r1": recall(drawn, texts, 1),
        "image_to_image_r1": recall(drawn, again, 1),
        "precision5_one_thing": precision(one_thing_queries),
        "precision5_count": precision(counted_queries),
        "precision5_place": precision(placed_queries),
    }


LABELS = {
    "text_to_image_r1": f"text to image, R@1 of {DESCRIPTIONS:,} held-out scenes",
    "text_to_image_r5": "text to image, R@5",
    "image_to_text_r1": "image to text, R@1",
    "image_to_image_r1": "image to image: another drawing of it comes first",
    "precision5_one_thing": f'"a red car": precision@5 in {GALLERY:,} pictures',
    "precision5_count": '"two blue mushrooms": precision@5',
    "precision5_place": '"a white boat at sunset": precision@5',
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--output", type=Path, default=Path("build/bench/demo-model.json"))
    parser.add_argument("--text-template", help='such as "a photo of {}"; {}: none')
    arguments = parser.parse_args()
    encoder = opened(arguments.bundle, arguments.text_template)
    figures = evaluate(encoder)
    print(f"{encoder.name}, space {encoder.space}, {encoder.dim} dimensions")
    for key, value in figures.items():
        print(f"  {LABELS[key]:<55} {value:.3f}")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps({"space": encoder.space, **figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()

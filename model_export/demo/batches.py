"""Training batches: pictures, captions, and the captions that are true of each picture.

Pictures come in groups of eight: a scene and seven near misses. So a batch has many pairs that
differ in one attribute. Contrastive learning masters these last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from model_export.demo.captions import Facts, facts_of, part_of, word
from model_export.demo.drawing import COLOURS, PLACES, THINGS, Placed, paint
from model_export.demo.preprocessing import MEAN, STD
from model_export.demo.scenes import Scene, held_out, lay_out_scene, near_miss, random_scene

IGNORED = -100  # torch's cross_entropy leaves this label out
NEAR_MISSES = 7
PARTS = 2  # captions of a part of a picture per caption of the whole


@dataclass(frozen=True, slots=True)
class Batch:
    """B pictures of S pixels with P x P patches, and C = 3 B captions of up to T tokens."""

    pixels: torch.Tensor  # (B, 3, S, S) float32, normalised
    input_ids: torch.Tensor  # (C, T) int64, padded with the end token
    truth: torch.Tensor  # (B, C) bool: the caption is true of the picture
    full: torch.Tensor  # (C,) bool: the caption states every fact of some scene
    counts: torch.Tensor  # (B, things) int64, 0 to 3
    colours: torch.Tensor  # (B, things) int64, IGNORED where the thing is absent
    place: torch.Tensor  # (B,) int64
    patch_things: torch.Tensor  # (B, P * P) int64, len(THINGS) where there is none
    patch_colours: torch.Tensor  # (B, P * P) int64, IGNORED where there is none


def make_batch(
    pictures: int, tokenizer: Tokenizer, size: int, patch: int, rng: np.random.Generator
) -> Batch:
    scenes: list[Scene] = []
    while len(scenes) < pictures:
        base = seen(random_scene, rng)
        scenes += [base, *(seen(near_miss, base, rng) for _ in range(NEAR_MISSES))]
    scenes = scenes[:pictures]
    layouts = [lay_out_scene(s, rng) for s in scenes]
    drawn = [paint(t, s.place, size, rng) for s, t in zip(scenes, layouts, strict=True)]
    pixels = np.stack([np.asarray(p) for p in drawn]).transpose(0, 3, 1, 2)

    facts = [facts_of(s) for s in scenes]
    full = len(facts)
    facts += [part_of(s, rng) for s in scenes for _ in range(PARTS)]
    ids = [e.ids for e in tokenizer.encode_batch([word(f, rng) for f in facts])]
    end = ids[0][-1]
    width = max(map(len, ids))

    counts, colours, place = attributes(scenes)
    things, hues = patch_labels(layouts, size // patch)
    return Batch(
        pixels=normalise(pixels),
        input_ids=torch.tensor([row + [end] * (width - len(row)) for row in ids]),
        truth=torch.from_numpy(truth_matrix(counts, colours, place, facts)),
        full=torch.arange(len(facts)) < full,
        counts=torch.from_numpy(counts),
        colours=torch.from_numpy(colours),
        place=torch.from_numpy(place),
        patch_things=torch.from_numpy(things),
        patch_colours=torch.from_numpy(hues),
    )


def seen(make: Callable[..., Scene], *arguments: object) -> Scene:
    """Call `make` until it returns a scene that is not held out."""
    while held_out(scene := make(*arguments)):
        pass
    return scene


def normalise(pixels: np.ndarray) -> torch.Tensor:
    """(N, 3, S, S) uint8 to float32, with the mean and deviation of the bundle."""
    return torch.from_numpy(pixels).float().div_(255).sub_(MEAN[0]).div_(STD[0])


def attributes(scenes: list[Scene]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(B, things) counts, (B, things) colours or IGNORED, (B,) places; all int64."""
    counts = np.zeros((len(scenes), len(THINGS)), np.int64)
    colours = np.full_like(counts, IGNORED)
    for i, scene in enumerate(scenes):
        for group in scene.groups:
            counts[i, THINGS.index(group.thing)] = group.count
            colours[i, THINGS.index(group.thing)] = COLOURS.index(group.colour)
    return counts, colours, np.array([PLACES.index(s.place) for s in scenes])


def truth_matrix(
    counts: np.ndarray, colours: np.ndarray, place: np.ndarray, facts: list[Facts]
) -> np.ndarray:
    """(B, C) bool; `Facts.true_of` for all pairs at once."""
    truth = np.empty((len(place), len(facts)), bool)
    for j, stated in enumerate(facts):
        column = (
            (place == PLACES.index(stated.place)) if stated.place else np.ones(len(place), bool)
        )
        for group in stated.groups:
            t = THINGS.index(group.thing)
            column = column & ((counts[:, t] == group.count) if group.count else counts[:, t] > 0)
            if group.colour:
                column = column & (colours[:, t] == COLOURS.index(group.colour))
        truth[:, j] = column
    return truth


def patch_labels(layouts: list[list[Placed]], across: int) -> tuple[np.ndarray, np.ndarray]:
    """The thing and colour on each of `across` x `across` patches: (B, across**2) each."""
    things = np.full((len(layouts), across, across), len(THINGS), np.int64)
    colours = np.full_like(things, IGNORED)
    for i, layout in enumerate(layouts):
        for t in layout:
            reach = 0.8 * t.radius
            rows = slice(round((t.y - reach) * across), round((t.y + reach) * across))
            columns = slice(max(0, round((t.x - reach) * across)), round((t.x + reach) * across))
            things[i, rows, columns] = THINGS.index(t.thing)
            colours[i, rows, columns] = COLOURS.index(t.colour)
    return things.reshape(len(layouts), -1), colours.reshape(len(layouts), -1)

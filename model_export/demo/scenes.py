"""Scenes of the demo: things, their colours and counts, and a place.

    scene = random_scene(np.random.default_rng(7))
    scene.describe()                  # "two blue mushrooms and a red car at night"
    draw(scene, 480, rng).save(...)   # drawing.py

A scene holds one or two kinds of thing in one of six places. A kind has one to three things in one
of nine colours. There are 12 x 9 x 3 x 6 scenes with one kind, and about 287,000 with two.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model_export.demo.drawing import COLOURS, PLACES, THINGS, Placed, lay_out, paint

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

MAX_COUNT = 3
COUNT_WORDS = {1: "a", 2: "two", 3: "three"}
IRREGULAR_PLURALS = {"fish": "fish"}
PLACE_PHRASES = {
    "day": "by day",
    "night": "at night",
    "sunset": "at sunset",
    "snow": "in the snow",
    "sea": "on the sea",
    "desert": "in the desert",
}


def plural(noun: str) -> str:
    return IRREGULAR_PLURALS.get(noun, noun + "s")


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """`count` things of one kind in one colour."""

    thing: str
    colour: str
    count: int

    def describe(self) -> str:
        noun = self.thing if self.count == 1 else plural(self.thing)
        phrase = f"{COUNT_WORDS[self.count]} {self.colour} {noun}"
        return phrase.replace("a orange", "an orange")


@dataclass(frozen=True, slots=True)
class Scene:
    """One or two groups of different things, sorted, and their place."""

    groups: tuple[Group, ...]
    place: str

    def describe(self) -> str:
        return " and ".join(g.describe() for g in self.groups) + " " + PLACE_PHRASES[self.place]


def random_group(rng: np.random.Generator, thing: str) -> Group:
    return Group(
        thing=thing,
        colour=COLOURS[rng.integers(len(COLOURS))],
        count=int(rng.integers(1, MAX_COUNT + 1)),
    )


def random_scene(rng: np.random.Generator) -> Scene:
    kinds = 1 + int(rng.integers(2))
    things = rng.choice(len(THINGS), size=kinds, replace=False)
    groups = sorted(random_group(rng, THINGS[i]) for i in things)
    return Scene(tuple(groups), PLACES[rng.integers(len(PLACES))])


def held_out(scene: Scene) -> bool:
    """Whether training never shows this scene, and never describes a whole picture with it.

    That is one description in twenty, by checksum. A caption of a part of a scene with two kinds
    may have the words of a held-out scene with one.
    """
    return zlib.crc32(scene.describe().encode()) % 20 == 0


def near_miss(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same scene with one attribute changed; with two groups, colours may be swapped."""
    which = int(rng.integers(len(scene.groups)))
    group = scene.groups[which]
    others = [g for i, g in enumerate(scene.groups) if i != which]
    match int(rng.integers(5)):
        case 0:
            place = PLACES[(PLACES.index(scene.place) + rng.integers(1, len(PLACES))) % len(PLACES)]
            return replace(scene, place=place)
        case 1:
            count = 1 + (group.count - 1 + int(rng.integers(1, MAX_COUNT))) % MAX_COUNT
            changed = [replace(group, count=count), *others]
        case 2:
            used = {g.thing for g in scene.groups}
            free = [t for t in THINGS if t not in used]
            changed = [replace(group, thing=free[rng.integers(len(free))]), *others]
        case 3 if others and others[0].colour != group.colour:
            swapped = replace(others[0], colour=group.colour)
            changed = [replace(group, colour=others[0].colour), swapped]
        case _:
            shift = int(rng.integers(1, len(COLOURS)))
            colour = COLOURS[(COLOURS.index(group.colour) + shift) % len(COLOURS)]
            changed = [replace(group, colour=colour), *others]
    return replace(scene, groups=tuple(sorted(changed)))


def lay_out_scene(scene: Scene, rng: np.random.Generator) -> list[Placed]:
    return lay_out([(g.thing, g.colour) for g in scene.groups for _ in range(g.count)], rng)


def draw(scene: Scene, size: int, rng: np.random.Generator) -> Image.Image:
    """Draw `scene` as a square RGB picture of `size` pixels; `rng` places and varies the things."""
    return paint(lay_out_scene(scene, rng), scene.place, size, rng)

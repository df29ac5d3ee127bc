"""Captions in varied wording, and the facts that they state.

A caption states all facts of a scene, or a part ("a red car", "three cats", "a snowy day").
`Facts` keeps them, so training and evaluation know for every pair of picture and caption whether
it matches, not only for the pair drawn together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_export.demo.scenes import Group, Scene, plural

if TYPE_CHECKING:
    import numpy as np

PLACE_WORDS = {
    "day": ("by day", "on a sunny day", "in daylight", "in a green meadow", "on the grass"),
    "night": ("at night", "in the dark", "under the moon", "under a night sky"),
    "sunset": ("at sunset", "at dusk", "in the evening sun", "in front of a sunset"),
    "snow": ("in the snow", "in winter", "on a snowy day", "in falling snow"),
    "sea": ("on the sea", "at sea", "on the water", "in the ocean", "among waves"),
    "desert": ("in the desert", "on the sand", "among sand dunes"),
}
PLACE_ALONE = {
    "day": ("a sunny day", "a green meadow", "daylight"),
    "night": ("night", "a dark night", "a night sky with a moon"),
    "sunset": ("a sunset", "dusk", "an evening sky"),
    "snow": ("snow", "a winter scene", "a snowy day"),
    "sea": ("the sea", "water and waves", "the ocean"),
    "desert": ("a desert", "sand dunes", "sand"),
}
NOUNS = {
    "car": ("car", "car", "automobile"),
    "house": ("house", "house", "cottage"),
    "boat": ("boat", "boat", "sailboat", "ship"),
    "flower": ("flower", "flower", "blossom"),
    "cat": ("cat", "cat", "kitten"),
    "mushroom": ("mushroom", "mushroom", "toadstool"),
    "umbrella": ("umbrella", "umbrella", "parasol"),
}
COLOUR_WORDS = {"purple": ("purple", "purple", "violet")}
COUNTS = {1: ("a", "a", "one", "a single", "1"), 2: ("two", "two", "2"), 3: ("three", "three", "3")}
PREFIXES = ("", "", "", "a picture of ", "a drawing of ", "an image of ", "a photo of ")
JOINS = (" and ", " and ", " with ", " next to ", ", ")


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a caption. A colour "", a count 0 or a place "" is left open."""

    groups: tuple[Group, ...]
    place: str

    def true_of(self, scene: Scene) -> bool:
        if self.place not in ("", scene.place):
            return False
        return all(any(_states(stated, g) for g in scene.groups) for stated in self.groups)


def _states(stated: Group, group: Group) -> bool:
    return (
        stated.thing == group.thing
        and stated.colour in ("", group.colour)
        and stated.count in (0, group.count)
    )


def facts_of(scene: Scene) -> Facts:
    return Facts(scene.groups, scene.place)


def part_of(scene: Scene, rng: np.random.Generator) -> Facts:
    """Some of the facts of a scene, as people search: often one thing, sometimes only a place."""
    group = scene.groups[rng.integers(len(scene.groups))]
    bare = Group(group.thing, "", 0)
    coloured = Group(group.thing, group.colour, 0)
    counted = Group(group.thing, "", group.count)
    match int(rng.integers(12)):
        case 0:
            return Facts((), scene.place)
        case 1:
            return Facts((bare,), "" if rng.random() < 0.5 else scene.place)
        case 2:
            return Facts((counted,), "")
        case 3 | 4 | 5:
            return Facts((group,), "")
        case 6:
            return Facts((group,), scene.place)
        case 7:
            return Facts(scene.groups, "")
        case 8 | 9:
            return Facts((coloured,), scene.place)
        case _:
            return Facts((coloured,), "")


def _pick(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[rng.integers(len(words))]


def _word_group(group: Group, rng: np.random.Generator) -> str:
    noun = _pick(NOUNS.get(group.thing, (group.thing,)), rng)
    colour = _pick(COLOUR_WORDS.get(group.colour, (group.colour,)), rng)
    if group.count == 0:
        # with an open count, "a red car" and "red cars" both ask for the thing
        count, many = ("a", False) if rng.random() < 0.6 else ("", True)
    else:
        count, many = _pick(COUNTS[group.count], rng), group.count > 1
    words = [count, colour, plural(noun) if many else noun]
    phrase = " ".join(w for w in words if w)
    if phrase.startswith("a ") and phrase[2] in "aeiou":
        phrase = "an " + phrase[2:]
    return phrase


def word(facts: Facts, rng: np.random.Generator) -> str:
    """One wording of the facts, such as "a drawing of 2 violet cats next to an orange tree"."""
    prefix = _pick(PREFIXES, rng)
    if not facts.groups:
        return prefix + _pick(PLACE_ALONE[facts.place], rng)
    order = rng.permutation(len(facts.groups)).tolist()
    body = _pick(JOINS, rng).join(_word_group(facts.groups[i], rng) for i in order)
    place = " " + _pick(PLACE_WORDS[facts.place], rng) if facts.place else ""
    return prefix + body + place

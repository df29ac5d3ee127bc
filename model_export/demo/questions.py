"""Texts that people could ask the demo world for, with their true answers, and texts beyond it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from model_export.demo.captions import PREFIXES, Facts, facts_of, part_of, word
from model_export.demo.drawing import COLOURS, PLACES, THINGS
from model_export.demo.scenes import PLACE_PHRASES, Scene, random_scene

if TYPE_CHECKING:
    import numpy as np

FROM_THE_LIBRARY = 0.75  # the share of questions that a scene of the library answers
PARTS = 0.8  # the share of questions for a part of a scene
LETTERS = "abcdefghijklmnopqrstuvwxyz"

# Nothing of these is in the demo world. Fitting uses every second one, the benchmark the others.
ABSENT_WORDS = """
elephant giraffe piano guitar bicycle motorcycle airplane train dog horse cow sheep lion tiger
bear computer keyboard telephone bottle glass pizza sandwich banana apple carrot cake chair
sofa bed lamp clock bridge church castle statue fountain baby wedding bride football tennis
skateboard surfer violin drum rocket robot dragon dinosaur penguin owl spider snake tortoise
whale shark crab hammer ladder bucket knife spoon fork plate candle book newspaper laptop
camera microscope doctor teacher policeman soldier firefighter chef dancer singer crowd
portrait selfie passport invoice receipt spreadsheet contract menu map diagram screenshot
barcode signature waterfall volcano cave glacier jungle canyon vineyard airport harbour factory
office kitchen bathroom
"""
ABSENT_THINGS = tuple(ABSENT_WORDS.split())
ABSENT_PHRASES = (
    *("quarterly tax report", "a wedding in a church", "people at a birthday party"),
    *("an old black and white photo", "a plate of food on a table", "a city street at rush hour"),
    *("text on a sign", "portrait of a woman", "the interior of a room", "my passport"),
    *("grandmother blowing out candles", "a football match", "meeting notes"),
    *("a screenshot of an error message", "a receipt from the supermarket", "x-ray of a hand"),
    *("the Eiffel Tower", "a crowd at a concert", "a baby sleeping", "kitchen with a fridge"),
    *("a dog catching a frisbee", "a cup of coffee", "bank statement 2021", "a man riding a horse"),
    *("students in a classroom", "a bride and groom", "graduation ceremony", "chess board"),
    *("a plumber repairing a pipe", "a bowl of soup", "happiness", "the meaning of life"),
    *("justice", "speed", "yesterday", "anything", "who is this", "how do I reset my password"),
    *("SELECT * FROM photos", "lorem ipsum dolor sit amet", "http://example.com/index.html"),
    *("IMG_2041.JPG", "0123456789", "12:45", "???", "...", "C++ source code", "E = mc2"),
    *("les enfants jouent", "ein rotes Fahrrad", "東京タワー", "собака", "a", "the"),
    *("of and with", "not", "photo", "picture", "image of", "untitled"),
)


def questions(
    count: int, scenes: list[Scene], rng: np.random.Generator
) -> tuple[list[str], list[Facts]]:
    """`count` different texts in varied wording, and what they state.

    Most describe one of `scenes` or a part of it; the others may have no answer there. "a red car"
    leaves the number open, as people mean it.
    """
    asked: dict[str, Facts] = {}
    while len(asked) < count:
        is_there = rng.random() < FROM_THE_LIBRARY
        scene = scenes[rng.integers(len(scenes))] if is_there else random_scene(rng)
        stated = part_of(scene, rng) if rng.random() < PARTS else facts_of(scene)
        groups = (replace(g, count=0) if g.count == 1 else g for g in stated.groups)
        facts = Facts(tuple(groups), stated.place)
        asked.setdefault(word(facts, rng), facts)
    return list(asked), list(asked.values())


def beyond(count: int, rng: np.random.Generator, half: int) -> list[str]:
    """`count` texts that nothing in the demo world answers.

    Two in ten are random letters, three are phrases, three an absent thing, two an absent thing
    with a colour or a place of the demo world. `half` 0 or 1: which half of the lists is used.
    """
    things, phrases = ABSENT_THINGS[half::2], ABSENT_PHRASES[half::2]

    def one(number: int) -> str:
        thing = things[rng.integers(len(things))]
        match number % 10:
            case 0 | 1:
                return " ".join(_letters(rng) for _ in range(rng.integers(1, 4)))
            case 2 | 3 | 4:
                return phrases[rng.integers(len(phrases))]
            case 8:
                return f"a {COLOURS[rng.integers(len(COLOURS))]} {thing}"
            case 9:
                return f"a {thing} {PLACE_PHRASES[PLACES[rng.integers(len(PLACES))]]}"
            case _:
                return f"{PREFIXES[rng.integers(len(PREFIXES))]}a {thing}"

    return [one(number) for number in range(count)]


def _letters(rng: np.random.Generator) -> str:
    return "".join(LETTERS[i] for i in rng.integers(len(LETTERS), size=rng.integers(2, 9)))


class Truth:
    """Which scenes a text describes: Facts.true_of, for all n scenes at once."""

    def __init__(self, scenes: list[Scene]) -> None:
        import numpy as np

        size = (len(scenes), len(THINGS))
        self._counts, self._colours = np.zeros(size, int), np.full(size, -1)
        self._places = np.array([PLACES.index(scene.place) for scene in scenes])
        for row, scene in enumerate(scenes):
            for group in scene.groups:
                thing = THINGS.index(group.thing)
                self._counts[row, thing] = group.count
                self._colours[row, thing] = COLOURS.index(group.colour)

    def of(self, facts: Facts) -> np.ndarray:
        """(n,) bool."""
        import numpy as np

        true = np.ones(len(self._places), bool)
        if facts.place:
            true = true & (self._places == PLACES.index(facts.place))
        for group in facts.groups:
            counts = self._counts[:, THINGS.index(group.thing)]
            true = true & (counts == group.count if group.count else counts > 0)
            if group.colour:
                colours = self._colours[:, THINGS.index(group.thing)]
                true = true & (colours == COLOURS.index(group.colour))
        return true

"""The demo scenes: pictures match their descriptions, and captions know their true scenes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from PIL import ImageChops

from model_export.demo.captions import Facts, facts_of, part_of, word
from model_export.demo.drawing import COLOURS, PLACES, RGB, THINGS, lay_out, paint
from model_export.demo.scenes import Group, Scene, draw, held_out, near_miss, random_scene


def test_a_scene_is_described_in_words() -> None:
    scene = Scene((Group("mushroom", "blue", 2), Group("umbrella", "orange", 1)), "night")
    assert scene.describe() == "two blue mushrooms and an orange umbrella at night"


def test_the_same_seed_draws_the_same_picture() -> None:
    scene = random_scene(np.random.default_rng(1))
    first, second = (draw(scene, 96, np.random.default_rng(2)) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("size", [1, 63, 64, 500])
def test_a_scene_is_drawn_at_any_size(size: int) -> None:
    rng = np.random.default_rng(3)
    assert draw(random_scene(rng), size, rng).size == (size, size)


@pytest.mark.parametrize(("thing", "colour"), list(product(THINGS, COLOURS)))
def test_a_thing_shows_its_colour_in_every_place(thing: str, colour: str) -> None:
    for place in PLACES:
        layout = lay_out([(thing, colour)], np.random.default_rng(4))
        empty = paint([], place, 64, np.random.default_rng(5))
        scene = paint(layout, place, 64, np.random.default_rng(5))
        changed = np.asarray(ImageChops.difference(empty, scene)).max(-1) > 0
        pixels = np.asarray(scene)[changed].astype(int)
        near = np.abs(pixels - RGB[colour]).max(-1) <= 12
        assert near.mean() > 0.1, place


def test_things_do_not_cover_each_other() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        layout = lay_out([("car", "red")] * 6, rng)
        for i, a in enumerate(layout):
            for b in layout[:i]:
                distance = max(abs(a.x - b.x), abs(a.y - b.y))
                assert distance > 0.8 * (a.radius + b.radius)


def test_a_near_miss_is_another_scene_with_as_many_kinds() -> None:
    rng = np.random.default_rng(7)
    for _ in range(500):
        scene = random_scene(rng)
        other = near_miss(scene, rng)
        assert other.describe() != scene.describe()
        assert len(other.groups) == len(scene.groups)
        assert not facts_of(scene).true_of(other)


def test_every_caption_of_a_scene_is_true_of_it() -> None:
    rng = np.random.default_rng(8)
    for _ in range(500):
        scene = random_scene(rng)
        assert facts_of(scene).true_of(scene)
        assert part_of(scene, rng).true_of(scene)


def test_what_a_caption_leaves_open_does_not_decide() -> None:
    scene = Scene((Group("cat", "red", 2),), "snow")
    assert Facts((Group("cat", "", 0),), "").true_of(scene)
    assert Facts((), "snow").true_of(scene)
    assert not Facts((Group("cat", "red", 3),), "").true_of(scene)
    assert not Facts((Group("cat", "blue", 0),), "").true_of(scene)
    assert not Facts((Group("cat", "red", 2),), "sea").true_of(scene)


def test_the_wording_names_every_stated_fact() -> None:
    rng = np.random.default_rng(9)
    facts = Facts((Group("fish", "green", 3), Group("star", "red", 1)), "desert")
    for _ in range(50):
        caption = word(facts, rng)
        assert "green fish" in caption
        assert "red star" in caption
        assert any(w in caption for w in ("desert", "sand"))


def test_one_scene_in_twenty_is_held_out() -> None:
    rng = np.random.default_rng(10)
    share = np.mean([held_out(random_scene(rng)) for _ in range(5_000)])
    assert 0.03 < share < 0.07

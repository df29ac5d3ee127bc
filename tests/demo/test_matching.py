"""The committed numbers tell matches from others, in a small version of `make bench-matching`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.matching import world as worlds
from benchmarks.matching.figures import figures
from model_export.demo import BUNDLE
from model_export.demo.captions import facts_of
from model_export.demo.questions import Truth, beyond, questions
from model_export.demo.scenes import random_scene
from model_export.logistic import logistic


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    with pytest.MonkeyPatch.context() as patch:
        for name, count in (("QUESTIONS", 400), ("PICTURES", 60)):
            patch.setattr(worlds, name, count)
        patch.setattr("benchmarks.matching.figures.DRAWN", 300)
        patch.setattr("benchmarks.matching.figures.LEAST_SHOWN", 10)
        world = worlds.make_world(BUNDLE, 600)
    return {figure.what: figure.value for figure in figures(world)}


def test_matches_are_told_from_others(measured: dict[str, float]) -> None:
    assert measured["texts, F1 over all their answers"] > 0.88
    assert measured["texts, F1 with the best threshold for all"] < 0.6
    assert measured["expected calibration error of a first page"] < 0.05
    assert measured["senseless queries, “nothing matches well”"] > 0.85
    assert measured["good queries, “nothing matches well”"] < 0.06
    assert measured["pictures, F1 over all their answers"] > 0.95
    assert measured["pictures of absent scenes, “nothing matches well”"] > 0.95


def test_in_small_and_in_skewed_libraries_too(measured: dict[str, float]) -> None:
    good = [value for what, value in measured.items() if "a true match is good" in what]
    assert len(good) == 5
    assert min(good) > 0.85
    none = [value for what, value in measured.items() if "none is good" in what]
    assert len(none) == 3
    assert min(none) > 0.95


def test_truth_of_all_scenes_is_that_of_each() -> None:
    rng = np.random.default_rng(1)
    scenes = [random_scene(rng) for _ in range(300)]
    _, facts = questions(200, scenes, rng)
    truth = Truth(scenes)
    for each in [*facts, *(facts_of(scene) for scene in scenes[:50])]:
        assert truth.of(each).tolist() == [each.true_of(scene) for scene in scenes]


def test_what_is_fitted_and_what_is_measured_have_no_senseless_words_in_common() -> None:
    rng = np.random.default_rng(2)
    fitted, measured = (set(beyond(400, rng, half)) for half in (0, 1))
    assert len(fitted & measured) < 4  # short random letters


def test_logistic_regression_finds_the_numbers_behind_the_answers() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(2, [1, 5], (20_000, 2))
    right = rng.random(20_000) < 1 / (1 + np.exp(-(2 * features[:, 0] - 0.3 * features[:, 1] - 1)))
    found, intercept = logistic(features, right.astype(float), np.ones(20_000))
    assert found == pytest.approx([2, -0.3], abs=0.1)
    assert intercept == pytest.approx(-1, abs=0.2)


def test_a_bundle_without_numbers_is_refused(tmp_path) -> None:
    from shutil import copytree

    from clipsearch.model.bundle import MODEL_JSON, read_bundle

    folder = copytree(BUNDLE, tmp_path / "old")
    bundle = dataclasses.replace(read_bundle(folder).bundle, matching=None)
    (folder / MODEL_JSON).write_bytes(bundle.to_json())
    with pytest.raises(ValueError, match=r"run python -m model_export\.demo\.matching"):
        worlds.make_world(folder, 1)

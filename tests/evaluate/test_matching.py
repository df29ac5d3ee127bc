"""How well matches fit the captions, and numbers fitted to them."""

import dataclasses
import json

import numpy as np
import pytest

from cli.evaluate.calibration import calibration
from clipsearch.matching import default_matching
from clipsearch.model.bundle import load_bundle, publish_bundle
from model_export.demo import BUNDLE
from tests.evaluate.conftest import SCENES, figures_in


def test_confidences_that_are_what_they_say_have_no_error():
    rng = np.random.default_rng(1)
    confidences = rng.random(100_000)
    right = rng.random(100_000) < confidences
    assert calibration(confidences, right).error < 0.01
    assert calibration(confidences, ~right).error > 0.4
    found = calibration(np.array([0.85, 0.85, 1.0]), np.array([True, False, True]))
    assert [(b.count, b.right) for b in found.bins] == [(2, 0.5), (1, 1.0)]
    assert found.error == pytest.approx(0.35 * 2 / 3)


def test_the_demo_models_numbers_fit_its_scenes(demo):
    found = figures_in(demo)["matching"]
    assert found["fitted"] == "drawn scenes"
    assert found["f1"] > 0.85
    assert found["nothing"] < 0.1
    assert found["calibration"]["error"] < 0.05
    assert sum(b["count"] for b in found["calibration"]["bins"]) == 24 * SCENES
    said = (demo / "stdout").read_text()
    assert f"Matches (fitted to drawn scenes): F1 {found['f1']:.3f} over all captions" in said


def test_fitting_writes_better_numbers_into_the_index(library):
    """Numbers that are far off come back."""
    before = library.evaluate()["matching"]
    good = load_bundle(library.bucket).bundle.matching
    assert good is not None
    bad = dataclasses.replace(good.text, slope=9.0, offset=good.text.offset - 0.2)
    put(library, dataclasses.replace(good, text=bad))
    assert library.evaluate()["matching"]["f1"] < before["f1"] - 0.3
    fitted = library.evaluate("--fit")["matching"]
    assert fitted["f1"] > before["f1"] - 0.02
    assert fitted["calibration"]["error"] < 0.03
    written = load_bundle(library.bucket).bundle.matching
    assert (written.text.slope, written.text.offset) == (fitted["slope"], fitted["offset"])
    assert written.fitted == fitted["fitted"] == "captions.json"
    assert (written.picture, written.text.direction) == (good.picture, good.text.direction)
    assert library.evaluate()["matching"] == fitted
    publish_bundle(BUNDLE, library.bucket)  # keeps them
    assert load_bundle(library.bucket).bundle.matching == written


def test_a_model_without_numbers_is_measured_and_can_get_some(library, capsys):
    put(library, None)
    assert library.evaluate()["matching"] is None
    assert "Matches: unknown" in capsys.readouterr().out
    assert "reliability-title" not in (library.folder / "out" / "evaluate.html").read_text()
    fitted = library.evaluate("--fit")["matching"]
    default = default_matching(load_bundle(library.bucket).bundle.logit_scale)
    assert fitted["offset"] != default.text.offset
    assert fitted["f1"] > 0.5  # without a direction, for all captions the same threshold


def test_numbers_are_not_fitted_to_a_few_captions(library, capsys):
    before = load_bundle(library.bucket).bundle
    library.annotations = library.annotations[:49]
    with pytest.raises(FileNotFoundError):  # no report
        library.evaluate("--fit", exit_code=1)
    assert "--fit needs 50 captions of indexed photos; there are 49" in capsys.readouterr().err
    assert load_bundle(library.bucket).bundle == before


def put(library, matching):
    name = f"models/{library.space}/model.json"
    bundle = dataclasses.replace(load_bundle(library.bucket).bundle, matching=matching)
    library.bucket.replace(name, library.bucket.stat(name).generation, bundle.to_json())
    assert json.loads(library.bucket.read(name))["space"] == library.space

"""Agreement of rankings and noise: what they forgive, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest

from model_export.ranking import agreement, among_themselves, noise


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def vectors():
    return unit(np.random.default_rng(0).normal(size=(60, 32)))


def test_the_same_vectors_agree(vectors):
    scores = among_themselves(vectors)
    assert agreement(scores, scores) == {
        "queries": 60,
        "pictures": 60,
        "top": 10,
        "overlap": 1.0,
    }
    assert noise(vectors, vectors) == 0


def test_a_picture_does_not_count_as_like_itself(vectors):
    assert np.isneginf(np.diag(among_themselves(vectors))).all()
    assert np.isfinite(among_themselves(vectors)).sum() == 60 * 59


def test_other_vectors_do_not_agree(vectors):
    others = unit(np.random.default_rng(1).normal(size=vectors.shape))
    assert agreement(among_themselves(others), among_themselves(vectors))["overlap"] < 0.4
    assert noise(others, vectors) > 1


def test_pictures_that_are_alike_may_change_places():
    theirs = np.concatenate([np.linspace(1, 0.5, 9), np.full(30, 0.3), np.linspace(0, -1, 9)])
    ours = theirs.copy()
    ours[9:39] += np.random.default_rng(0).normal(0, 1e-4, 30)  # any of the thirty is the tenth
    assert agreement(ours[None], theirs[None])["overlap"] == 1.0
    ours[-5:] = 2
    assert agreement(ours[None], theirs[None])["overlap"] == 0.5


def test_noise_sees_what_a_cosine_does_not(vectors):
    """All nearly the same vector, as of random weights: another order, and a cosine of 0.999."""
    common = np.zeros(32)
    common[0] = 1
    theirs = unit(common + 0.02 * vectors)
    ours = unit(common + 0.02 * vectors[::-1])
    assert (ours * theirs).sum(1).min() > 0.999
    assert noise(ours, theirs) > 1

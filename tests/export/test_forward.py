"""The forward pass in numpy gives the vectors of transformers' models."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from model_export import forward
from model_export.forward import ACTIVATIONS, image_features, text_features
from tests.export.families import (
    TINY,
    checkpoint,
    lively,
    pictures,
    tiny_clip,
    tiny_siglip,
    token_rows,
)

CLOSE = 2e-6  # 1e-4 is demanded of an export

ACTS = ["gelu", "gelu_pytorch_tanh", "quick_gelu"]


def reference_text(model: PreTrainedModel, ids: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    attention = None if mask is None else torch.from_numpy(mask)
    with torch.inference_mode():
        out = model.get_text_features(input_ids=torch.from_numpy(ids), attention_mask=attention)
    return unit(out.pooler_output)


def reference_image(model: PreTrainedModel, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return unit(model.get_image_features(pixel_values=torch.from_numpy(pixels)).pooler_output)


def unit(features: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.nn.functional.normalize(features))


def assert_same(vectors: np.ndarray, reference: np.ndarray) -> None:
    """The same vectors, and inputs that they tell apart."""
    assert vectors.dtype == np.float32
    assert vectors.shape == reference.shape
    among = reference @ reference.T
    assert among[~np.eye(len(among), dtype=bool)].max() < 0.999
    assert np.abs(vectors - reference).max() < CLOSE


@pytest.mark.parametrize("family", TINY)
def test_texts_of_every_length(family):
    model = TINY[family]()
    config, weights = checkpoint(model)
    ids, mask = token_rows(family)
    assert_same(text_features(config, weights, ids, mask), reference_text(model, ids, mask))
    without = text_features(config, weights, ids)
    assert_same(without, reference_text(model, ids, None))
    # What is after the end is not seen by a causal tower, and is seen by the others.
    causal = family in ("clip", "metaclip_2")
    masked = text_features(config, weights, ids, mask)
    assert (np.abs(without - masked).max() < CLOSE) == causal


@pytest.mark.parametrize("family", TINY)
def test_texts_without_padding(family):
    model = TINY[family]()
    config, weights = checkpoint(model)
    ids = np.stack([token_rows(family, seed)[0][4, :6] for seed in range(5)])
    assert_same(text_features(config, weights, ids), reference_text(model, ids, None))


@pytest.mark.parametrize("family", TINY)
def test_pictures(family):
    model = TINY[family]()
    config, weights = checkpoint(model)
    pixels = pictures(model)
    assert_same(image_features(config, weights, pixels), reference_image(model, pixels))


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("family", TINY)
def test_activations(family, act):
    model = TINY[family](act)
    config, weights = checkpoint(model)
    ids, mask = token_rows(family)
    assert_same(text_features(config, weights, ids, mask), reference_text(model, ids, mask))
    pixels = pictures(model)
    assert_same(image_features(config, weights, pixels), reference_image(model, pixels))


@pytest.mark.parametrize("act", ACTS)
def test_activations_far_out(act):
    x = np.concatenate([np.linspace(-12, 12, 4001), [-1e4, -88, 88, 1e4]]).astype(np.float32)
    ours = ACTIVATIONS[act](x)
    theirs = {
        "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
        "gelu_pytorch_tanh": lambda z: (
            z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2
        ),
        "quick_gelu": lambda z: z / (1 + math.exp(min(-1.702 * z, 700))),
    }[act]
    exact = np.array([theirs(float(z)) for z in x])
    assert (np.abs(ours - exact) / np.maximum(1, np.abs(x))).max() < 3e-7


def test_a_clip_of_before_2023_pools_at_the_highest_token():
    model = tiny_clip(eos_token_id=2)
    config, weights = checkpoint(model)
    ids, _ = token_rows("clip")
    ids[3, 1] = 2  # an ordinary token
    assert_same(text_features(config, weights, ids), reference_text(model, ids, None))
    wrong = text_features({**config, "model_type": "metaclip_2"}, weights, ids)
    assert np.abs(wrong - reference_text(model, ids, None)).max() > 0.01


def test_pixels_beyond_the_last_whole_patch_are_not_read():
    """google/siglip-so400m-patch14-384 has 27 patches of 14 px in 384 px."""
    model = tiny_siglip(image_size=30)
    config, weights = checkpoint(model)
    pixels = pictures(model)
    ours = image_features(config, weights, pixels)
    assert_same(ours, reference_image(model, pixels))
    pixels[:, :, 24:, :] += 1
    assert np.array_equal(image_features(config, weights, pixels), ours)


def test_channels_a_hundred_times_larger_than_the_rest():
    model = tiny_clip()
    with torch.no_grad():
        for tower in (model.text_model, model.vision_model):
            tower.embeddings.position_embedding.weight[:, 5] *= 100
            tower.encoder.layers[0].mlp.fc2.bias[7] = 60
    config, weights = checkpoint(model)
    ids, _ = token_rows("clip")
    assert_same(text_features(config, weights, ids), reference_text(model, ids, None))
    pixels = pictures(model)
    assert_same(image_features(config, weights, pixels), reference_image(model, pixels))


@pytest.mark.parametrize("family", TINY)
def test_parts_give_what_the_whole_gives(family, monkeypatch):
    model = TINY[family]()
    config, weights = checkpoint(model)
    ids, mask = token_rows(family)
    pixels = pictures(model)
    text, image = text_features(config, weights, ids, mask), image_features(config, weights, pixels)
    monkeypatch.setattr(forward, "TOKENS", 45)  # two texts at a time, and five pictures
    assert np.abs(text_features(config, weights, ids, mask) - text).max() < CLOSE
    monkeypatch.setattr(forward, "TOKENS", 1)
    assert np.abs(image_features(config, weights, pixels) - image).max() < CLOSE


def test_inputs_that_the_model_does_not_have():
    model = tiny_clip()
    config, weights = checkpoint(model)
    with pytest.raises(ValueError, match=r"shape \(1, 21\); it must be \(N, 1 to 20\)"):
        text_features(config, weights, np.ones((1, 21), int))
    with pytest.raises(ValueError, match=r"ids are 0 to 300; they must be 0 to 299"):
        text_features(config, weights, np.array([[0, 300]]))
    with pytest.raises(ValueError, match=r"shape \(1, 3, 8, 24\); it must be \(N, 3, 24, 24\)"):
        image_features(config, weights, np.zeros((1, 3, 8, 24), np.float32))


def test_lively_weights_reach_every_parameter():
    """A weight of zero or one could be left out of the forward pass unnoticed."""
    for make in TINY.values():
        for name, weight in lively(make()).named_parameters():
            if weight.numel() > 1:
                assert weight.std() > 0.05, name

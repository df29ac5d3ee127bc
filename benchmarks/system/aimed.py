"""Aims a model with random weights, so that its texts and pictures lie among given vectors.

How long a search takes depends on where its query lies. Random weights point anywhere, far from
both texts and photos of a trained CLIP: codes then tell photos apart badly, and a search compares
ten times as many. Only the last layer changes, so encoding takes as long as before.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.index.data import Data, Vectors
from benchmarks.system.asking import WORDS, sentence

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPProcessor

SENTENCES, HELD_OUT, BATCH = 1500, 100, 50
RIDGE = 1e-3  # of the mean square of a feature
LEAST_COSINE = 0.98  # of a sentence that the fit has not seen


def aim(source: Path, folder: Path, data: Data, pictures: list[Path]) -> None:
    """Write the transformers model of `source` into `folder`, aimed at the vectors of `data`.

    A word gets the vector of one of its texts, and a sentence the mean of its words. A picture gets
    the vector of a photo that no library has. Raises ValueError if sentences are not aimed well.
    """
    import torch
    from transformers import CLIPModel, CLIPProcessor

    model, processor = CLIPModel.from_pretrained(source), CLIPProcessor.from_pretrained(source)
    with torch.no_grad():
        _aim_texts(model, processor, data)
        _aim_pictures(model, processor, data, pictures)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _aim_texts(model: CLIPModel, processor: CLIPProcessor, data: Data) -> None:
    texts = np.concatenate([data.more_texts, data.texts])
    words = sorted(set(WORDS))
    vector_of = dict(zip(words, texts[:: len(texts) // len(words)], strict=False))
    chance = random.Random(0)
    sentences = [sentence(chance) for _ in range(SENTENCES)]
    targets = np.array([_unit(sum(vector_of[w] for w in s.split())) for s in sentences])
    features = []
    for begin in range(0, SENTENCES, BATCH):
        given = processor(text=sentences[begin : begin + BATCH], return_tensors="pt", padding=True)
        out = model.text_model(given["input_ids"], given["attention_mask"])
        features.append(out.pooler_output.numpy())
    known = np.concatenate(features)
    weights = _fit(known[HELD_OUT:], targets[HELD_OUT:])
    cosines = [float(_unit(x @ weights) @ y) for x, y in zip(known, targets, strict=True)]
    if min(cosines[:HELD_OUT]) < LEAST_COSINE:
        raise ValueError(f"a sentence has a cosine of {min(cosines[:HELD_OUT])} with its aim")
    _set(model.text_projection, weights)


def _aim_pictures(
    model: CLIPModel, processor: CLIPProcessor, data: Data, pictures: list[Path]
) -> None:
    from PIL import Image

    images = [Image.open(path) for path in pictures]
    pixels = processor(images=images, return_tensors="pt")["pixel_values"]
    features = model.vision_model(pixels).pooler_output.numpy()
    _set(model.visual_projection, _fit(features, data.held_out[: len(pictures)]))


def _fit(features: Vectors, targets: Vectors) -> Vectors:
    """(f, d): ridge regression of `targets` (n, d) on `features` (n, f)."""
    x = features.astype(np.float64)
    products = x.T @ x
    products += RIDGE * np.trace(products) / len(products) * np.eye(len(products))
    fitted: Vectors = np.linalg.solve(products, x.T @ targets).astype(np.float32)
    return fitted


def _unit(vector: Any) -> Vectors:
    unit: Vectors = vector / np.linalg.norm(vector)
    return unit


def _set(layer: Any, weights: Vectors) -> None:
    import torch

    layer.weight.copy_(torch.from_numpy(weights.T.copy()))

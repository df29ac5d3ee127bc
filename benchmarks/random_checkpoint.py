"""Checkpoints with random weights and made-up tokenizers, of the size of the known ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from tokenizers import Tokenizer

from benchmarks import random_tokenizers
from clipsearch.model.variants import Padding
from model_export.checkpoint import Checkpoint
from model_export.config import ModelConfig, parse_config
from model_export.facts import FACTS
from model_export.known import KNOWN
from model_export.preprocessing import Preprocessing
from model_export.towers.families import weight_shapes

TOKENIZERS: dict[str, Callable[[int], Tokenizer]] = {
    "CLIP": random_tokenizers.clip,
    "OpenCLIP": random_tokenizers.clip,
    "SigLIP": random_tokenizers.siglip,
    "SigLIP 2": random_tokenizers.gemma,
    "MetaCLIP 2": random_tokenizers.xlm_roberta,
    "Chinese-CLIP": random_tokenizers.bert,
    "AltCLIP": random_tokenizers.xlm_roberta,
}


class RandomWeights(Mapping[str, np.ndarray]):
    """An array of each shape, made when you ask for it: always the same one."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = shapes

    def __getitem__(self, name: str) -> np.ndarray:
        shape = self._shapes[name]
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = 0.02 * rng.standard_normal(shape, np.float32)
        is_scale = len(shape) == 1 and name.endswith("weight")  # of a LayerNorm
        return np.asarray(values + 1 if is_scale else values, np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def checkpoint(model: str) -> Checkpoint:
    """Random, of the size that `model` has."""
    document = FACTS[model].config
    config = parse_config(document)
    return Checkpoint(
        document,
        config,
        RandomWeights(weight_shapes(config)),
        TOKENIZERS[KNOWN[model].family](config.text.vocabulary),
        _preprocessing(config),
        _padding(model, config),
    )


def _preprocessing(config: ModelConfig) -> Preprocessing:
    half = (0.5, 0.5, 0.5)
    if config.family == "siglip":
        return Preprocessing(config.vision.image_size, half, half, "squash", "bilinear")
    return Preprocessing(config.vision.image_size, half, half)


def _padding(model: str, config: ModelConfig) -> Padding | None:
    if config.text.pad_id is not None:
        return Padding(config.text.pad_id, None)
    if config.family != "siglip":
        return None
    # SigLIP fills up with its end token, SigLIP 2 with a token of its own.
    return Padding(int(KNOWN[model].family == "SigLIP"), config.text.context)

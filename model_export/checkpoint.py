"""A folder in transformers' layout -> a CLIP: its configuration, weights, tokenizer, preprocessing.

Without torch and transformers. Weights that do not fit the configuration are refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from model_export.config import ConfigError, ModelConfig, parse_config
from model_export.errors import BadCheckpoint
from model_export.files import PREPROCESSORS
from model_export.preprocessing import (
    Preprocessing,
    UnsupportedPreprocessing,
    parse_preprocessing,
)
from model_export.tokenizer import read_tokenizer
from model_export.towers.shapes import clip_shapes
from model_export.weights import check_names, open_weights


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`document` is the object in config.json, `config` what the towers need of it. `weights` have
    the names of transformers' model; each is read when you ask for it."""

    document: Mapping[str, Any]
    config: ModelConfig
    weights: Mapping[str, np.ndarray]
    tokenizer: Tokenizer
    preprocessing: Preprocessing

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied by; the checkpoint has its logarithm."""
        return math.exp(float(self.weights["logit_scale"]))


def load_checkpoint(folder: Path, where: str) -> Checkpoint:
    """Read the checkpoint in `folder`; errors call it `where`. BadCheckpoint."""
    document = _json(folder, "config.json", where)
    if document is None:
        raise BadCheckpoint(where, "has no config.json: it is not a model of transformers")
    try:
        config = parse_config(document)
    except ConfigError as exc:
        raise BadCheckpoint(where, f"has a bad config.json: {exc}") from exc
    # What is small and may be missing comes before what is large.
    preprocessing = _preprocessing(folder, where)
    tokenizer = read_tokenizer(folder, where)
    weights = open_weights(folder, where)
    check_names(weights, clip_shapes(config), where)
    return Checkpoint(document, config, weights, tokenizer, preprocessing)


def _preprocessing(folder: Path, where: str) -> Preprocessing:
    for name in PREPROCESSORS:
        document = _json(folder, name, where)
        if document is not None and name == "processor_config.json":
            document = document.get("image_processor")
        if document is not None:
            break
    else:
        raise BadCheckpoint(where, f"says nothing of its pictures: no {' or '.join(PREPROCESSORS)}")
    try:
        return parse_preprocessing(document)
    except UnsupportedPreprocessing as exc:
        raise BadCheckpoint(where, f"has preprocessing that is not supported: {exc}") from exc


def _json(folder: Path, name: str, where: str) -> dict[str, Any] | None:
    """The object in a file, None if there is no such file."""
    path = folder / name
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise BadCheckpoint(where, f"has a damaged {name}: {exc}") from exc
    if not isinstance(document, dict):
        raise BadCheckpoint(where, f"has a damaged {name}: it is no JSON object")
    return document

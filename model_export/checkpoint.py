"""A folder in the layout of transformers or OpenCLIP -> a CLIP, whole.

Its configuration, weights, tokenizer and preprocessing, read without torch and transformers.
Weights that do not fit the configuration are refused.
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

from clipsearch.model.variants import Padding
from model_export.config import ConfigError, Family, ModelConfig, parse_config
from model_export.errors import BadCheckpoint
from model_export.files import OPENCLIP_CONFIG, OPENCLIP_WEIGHTS, PREPROCESSORS, WEIGHTS
from model_export.padding import read_padding
from model_export.preprocessing import (
    Preprocessing,
    UnsupportedPreprocessing,
    parse_openclip,
    parse_preprocessing,
)
from model_export.text_template import own_template
from model_export.tokenizers.read import read_tokenizer
from model_export.towers.families import TOWERS, weight_shapes
from model_export.weights import openclip as openclip_names
from model_export.weights.folder import open_weights
from model_export.weights.named_arrays import check_names
from model_export.weights.renamed import as_in_transformers

FAMILIES = tuple(TOWERS)  # whose towers can be written


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`document` is the object in config.json, `config` what the towers need of it. `weights` have
    the names of transformers' model; each is read when you ask for it. `padding` None: nothing
    after the end token is read. `text_template` None: texts stay as they are."""

    document: Mapping[str, Any]
    config: ModelConfig
    weights: Mapping[str, np.ndarray]
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    padding: Padding | None = None
    text_template: str | None = None

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied by; the checkpoint has its logarithm."""
        return math.exp(self.weights["logit_scale"].item())

    @property
    def logit_bias(self) -> float:
        """What is added to that; 0 where a family has none."""
        return self.weights["logit_bias"].item() if "logit_bias" in self.weights else 0.0


def load_checkpoint(folder: Path, where: str) -> Checkpoint:
    """Read the checkpoint in `folder`, in transformers' layout or OpenCLIP's; errors call it
    `where`. BadCheckpoint."""
    document = _json(folder, "config.json", where) or {}
    openclip = _json(folder, OPENCLIP_CONFIG, where)
    # timm's repositories have both; their config.json describes timm's image tower alone
    is_openclip = openclip is not None and "model_type" not in document
    # What is small and may be missing comes before what is large.
    tokenizer = read_tokenizer(folder, where, _family(document))
    if openclip is not None and is_openclip:
        raw = open_weights(folder, where, OPENCLIP_WEIGHTS)
        document, weights = openclip_names.translate(openclip, raw, where)
        config = _config(document, where)
        preprocessing = _openclip_preprocessing(openclip, config, where)
    else:
        if not document:
            raise BadCheckpoint(where, f"has no config.json and no {OPENCLIP_CONFIG}")
        config = _config(document, where)
        preprocessing = _preprocessing(folder, where)
        weights = as_in_transformers(config.family, open_weights(folder, where, WEIGHTS))
    check_names(weights, weight_shapes(config), where)
    padding = read_padding(folder, config, tokenizer, where)
    template = own_template(config.family)
    return Checkpoint(document, config, weights, tokenizer, preprocessing, padding, template)


def _family(document: Mapping[str, Any]) -> Family:
    """Of a model that is not known yet; parse_config refuses other families. OpenCLIP's models
    have no model_type."""
    named = document.get("model_type")
    return next((family for family in FAMILIES if family == named), "clip")


def _config(document: Mapping[str, Any], where: str) -> ModelConfig:
    try:
        return parse_config(document)
    except ConfigError as exc:
        raise BadCheckpoint(where, f"has a config.json that is not supported: {exc}") from exc


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


def _openclip_preprocessing(
    document: Mapping[str, Any], config: ModelConfig, where: str
) -> Preprocessing:
    try:
        return parse_openclip(document.get("preprocess_cfg") or {}, config.vision.image_size)
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

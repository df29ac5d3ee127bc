"""A model of transformers, in memory -> a checkpoint as our export reads it."""

from __future__ import annotations

import json

import numpy as np
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from benchmarks.random_clip import MEAN, STD
from model_export.checkpoint import Checkpoint
from model_export.config import parse_config
from model_export.preprocessing import Preprocessing


def checkpoint_of(model: PreTrainedModel, tokenizer: Tokenizer) -> Checkpoint:
    """The weights are the model's own memory, not a copy."""
    document = json.loads(model.config.to_json_string(use_diff=False))
    config = parse_config(document)
    weights = {name: np.asarray(values.detach()) for name, values in model.state_dict().items()}
    preprocessing = Preprocessing(config.vision.image_size, MEAN, STD)
    return Checkpoint(document, config, weights, tokenizer, preprocessing)

"""A model of a family in a folder, and the vectors that transformers computes with it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from clipsearch.text import plain
from model_export.checkpoint import Checkpoint, load_checkpoint
from model_export.samples import pictures, texts
from tests.export.families import TINY
from tests.export.transformers_reference import processor_of

MASKED = ("chinese_clip", "altclip")


@dataclass(frozen=True, slots=True)
class Saved:
    family: str
    folder: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def load(self) -> Checkpoint:
        return load_checkpoint(self.folder, "MODEL")

    def tokens(self, sentences: list[str]) -> dict[str, torch.Tensor]:
        """What transformers' processor of the family gives its model."""
        context = self.model.config.text_config.max_position_embeddings
        found = self.tokenizer(
            sentences,
            padding="max_length" if self.family == "siglip" else "longest",
            truncation=True,
            max_length=context - (2 if self.family == "altclip" else 0),
            return_tensors="pt",
        )
        wanted = ("input_ids", "attention_mask") if self.family in MASKED else ("input_ids",)
        return {name: found[name] for name in wanted}

    def pixels(self, images: list[Image.Image]) -> torch.Tensor:
        document = json.loads((self.folder / "preprocessor_config.json").read_text())
        processor = processor_of(document)
        return torch.cat([processor(image, return_tensors="pt").pixel_values for image in images])

    def text(self, sentences: list[str]) -> np.ndarray:
        with torch.inference_mode():
            return unit(self.model.get_text_features(**self.tokens(sentences)).pooler_output)

    def image(self, images: list[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            pixels = self.pixels(images)
            return unit(self.model.get_image_features(pixel_values=pixels).pooler_output)


def tiny(family: str, **changes: Any) -> PreTrainedModel:
    """With as many tokens as the tokenizers of family_folders.py have."""
    return TINY[family](vocab_size=1000, **changes)


def unit(features: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.nn.functional.normalize(features))


def sentences() -> list[str]:
    """Of every length, the empty one too, and longer than the context."""
    return [plain(text) for text in texts()]


def images() -> list[Image.Image]:
    return [sample.image for sample in pictures() if sample.image.mode == "RGB"][::2]


def siglip_with_logits() -> PreTrainedModel:
    """Scale and bias near those of google/siglip-base-patch16-224: 118 and -12.9."""
    model = tiny("siglip")
    with torch.no_grad():
        model.logit_scale.fill_(math.log(118))
        model.logit_bias.fill_(-12.5)
    return model

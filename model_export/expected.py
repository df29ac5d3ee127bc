"""The samples of a verification, and what the checkpoint makes of them by the reference."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from clipsearch.model.variants import Variant
from clipsearch.text import plain
from model_export.checkpoint import Checkpoint
from model_export.errors import UnsupportedModel
from model_export.reference import (
    opened,
    reference_image,
    reference_square,
    reference_text,
    reference_tokens,
)
from model_export.samples import pictures, spread, texts, texture

MORE_PICTURES = 16  # for the ranking, besides the samples

FORMATS = {"1": "PNG", "L": "JPEG", "RGB": "JPEG", "CMYK": "JPEG"}  # otherwise PNG


@dataclass(frozen=True, slots=True)
class Expected:
    """The samples and what the checkpoint makes of them; computed once for all precisions.

    `sentences` are without the text template, `tokens` and `text` with it."""

    sentences: list[str]
    photos: list[bytes]
    tokens: list[list[int]]
    squares: np.ndarray
    text: np.ndarray
    image: np.ndarray


def expect(checkpoint: Checkpoint, count: int | None = None) -> Expected:
    """Run the reference over the samples, or over `count` texts and `count` pictures of them.
    UnsupportedModel if it has no numbers for them."""
    sentences = spread([plain(text) for text in texts()], count)
    rng = np.random.default_rng(1)
    more = [texture(rng, 160, 120) for _ in range(MORE_PICTURES)]
    drawn = spread([*(sample.image for sample in pictures()), *more], count)
    photos = [_encoded(image) for image in drawn]
    images = [opened(photo) for photo in photos]
    steps = checkpoint.preprocessing
    variant = Variant(text_template=checkpoint.text_template)
    worded = [variant.in_template(sentence) for sentence in sentences]
    tokens = reference_tokens(checkpoint.tokenizer, worded, checkpoint.config.text.context)
    squares = np.stack(
        [reference_square(image, steps.size, steps.resize, steps.resample) for image in images]
    )
    text, image = reference_text(checkpoint, worded), reference_image(checkpoint, images)
    for name, vectors in (("text", text), ("image", image)):
        if not np.isfinite(vectors).all():
            raise UnsupportedModel(f"the checkpoint gives no numbers for the {name} samples")
    return Expected(sentences, photos, tokens, squares, text, image)


def _encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, FORMATS.get(image.mode, "PNG"))
    return out.getvalue()

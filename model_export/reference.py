"""What a checkpoint gives by other code than ours: the tokenizer as it is, Pillow's resize, and the
forward pass in numpy (forward.py). `make test-export` compares all three with transformers.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from tokenizers import Tokenizer

from clipsearch.images.preprocess import Resample, Resize
from clipsearch.model.variants import Padding
from model_export import forward
from model_export.checkpoint import Checkpoint


def reference_text(checkpoint: Checkpoint, sentences: Sequence[str]) -> np.ndarray:
    """(N, D), of length 1."""
    context = checkpoint.config.text.context
    rows = reference_tokens(checkpoint.tokenizer, sentences, context)
    ids = padded_tokens(rows, context, checkpoint.padding)
    masked = checkpoint.padding is not None and checkpoint.padding.length is None
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(ids.shape[1]) < lengths[:, None] if masked else None
    return forward.text_features(checkpoint.document, checkpoint.weights, ids, mask)


def reference_image(checkpoint: Checkpoint, images: Sequence[Image.Image]) -> np.ndarray:
    """(N, D), of length 1."""
    steps = checkpoint.preprocessing
    squares = np.stack(
        [reference_square(image, steps.size, steps.resize, steps.resample) for image in images]
    )
    mean, std = np.array(steps.mean, np.float32), np.array(steps.std, np.float32)
    pixels = (squares.astype(np.float32) / 255 - mean) / std
    pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)
    return forward.image_features(checkpoint.document, checkpoint.weights, pixels)


def reference_tokens(
    tokenizer: Tokenizer, sentences: Sequence[str], length: int
) -> list[list[int]]:
    """The tokens of each sentence, cut to `length`."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.enable_truncation(length)
    copy.no_padding()
    return [encoding.ids for encoding in copy.encode_batch(list(sentences))]


def padded_tokens(
    rows: Sequence[list[int]], context: int, padding: Padding | None = None
) -> np.ndarray:
    """(N, T) int64."""
    if padding is None:  # with the end token; nothing after the first one is read
        return np.array([row + row[-1:] * (context - len(row)) for row in rows])
    length = padding.length or max(map(len, rows))
    return np.array([row + [padding.token] * (length - len(row)) for row in rows])


def reference_square(
    image: Image.Image, size: int, resize: Resize = "crop", resample: Resample = "bicubic"
) -> np.ndarray:
    """(size, size, 3) uint8: the shorter side to `size` and the middle of the rest, or both
    sides to `size`."""
    image = _on_white(as_viewed(image))
    sampling = Image.Resampling[resample.upper()]
    if resize == "squash":
        return np.asarray(image.resize((size, size), sampling))
    width, height = image.size
    if width <= height:
        width, height = size, size * height // width
    else:
        width, height = size * width // height, size
    image = image.resize((width, height), sampling)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)))


def opened(photo: bytes) -> Image.Image:
    """The picture in a file, as the reference sees it."""
    return as_viewed(Image.open(io.BytesIO(photo)))


def as_viewed(image: Image.Image) -> Image.Image:
    """A picture of 16 bits as a viewer shows it; Pillow's conversion to RGB makes it white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """RGB; transparent parts become white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page

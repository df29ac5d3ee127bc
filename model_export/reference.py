"""What PyTorch gives: transformers' CLIPTokenizer, CLIPImageProcessor and CLIPModel.

text    tokenizer, cut and padded to the context -> CLIPModel
image   CLIPImageProcessor -> CLIPModel
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

BATCH = 8  # bounds the memory: attention is kept whole

Tokenizers: TypeAlias = Tokenizer | CLIPTokenizer


@dataclass(frozen=True, slots=True)
class Reference:
    """The model with its own tokenizer and preprocessing, as the checkpoint has them."""

    model: CLIPModel
    tokenizer: Tokenizers
    processor: CLIPImageProcessorPil
    context_length: int

    def tokens(self, sentences: list[str]) -> np.ndarray:
        """(N, context) int64."""
        return reference_tokens(self.tokenizer, sentences, self.context_length)

    def text(self, ids: np.ndarray) -> np.ndarray:
        """(N, D), of length 1."""
        return np.concatenate([reference_text(self.model, part) for part in _batches(ids)])

    def squares(self, images: list[Image.Image]) -> np.ndarray:
        """(N, S, S, 3) uint8: what the model sees, not yet normalised."""
        raw = self.processor(images=images, do_rescale=False, do_normalize=False)["pixel_values"]
        return np.stack([np.moveaxis(np.asarray(pixels), 0, 2) for pixels in raw])

    def image(self, images: list[Image.Image]) -> np.ndarray:
        """(N, D), of length 1."""
        pixels = self.processor(images=images, return_tensors="pt")["pixel_values"]
        return np.concatenate([reference_image(self.model, part) for part in _batches(pixels)])


def _batches(rows: np.ndarray | torch.Tensor) -> Iterable[np.ndarray | torch.Tensor]:
    return (rows[i : i + BATCH] for i in range(0, len(rows), BATCH))


def image_processor(
    size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> CLIPImageProcessorPil:
    """transformers' preprocessing; this back end needs no torchvision."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=list(mean),
        image_std=list(std),
    )


def reference_tokens(tokenizer: Tokenizers, sentences: list[str], length: int) -> np.ndarray:
    """(N, length) int64: cut and padded to the whole context, as CLIPProcessor does it."""
    if isinstance(tokenizer, Tokenizer):
        copy = Tokenizer.from_str(tokenizer.to_str())
        copy.enable_truncation(length)
        rows = [encoding.ids for encoding in copy.encode_batch(sentences)]
    else:
        rows = tokenizer(sentences, truncation=True, max_length=length)["input_ids"]
    # The end token, with which OpenAI's checkpoints pad; what is after the first is not read.
    return np.array([row + row[-1:] * (length - len(row)) for row in rows])


def reference_text(model: CLIPModel, ids: np.ndarray) -> np.ndarray:
    """PyTorch's text vectors, of length 1."""
    with torch.inference_mode():
        return _unit(model.get_text_features(input_ids=torch.from_numpy(ids)).pooler_output)


def reference_image(model: CLIPModel, pixels: torch.Tensor) -> np.ndarray:
    """PyTorch's image vectors, of length 1, from normalised pixels (N, 3, S, S)."""
    with torch.inference_mode():
        return _unit(model.get_image_features(pixel_values=pixels).pooler_output)


def _unit(features: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.nn.functional.normalize(features))


def opened(photo: bytes) -> Image.Image:
    """The picture in a file, as the reference sees it."""
    return as_viewed(Image.open(io.BytesIO(photo)))


def as_viewed(image: Image.Image) -> Image.Image:
    """The reference for 16 bits is what a viewer shows, too: CLIPImageProcessor's is white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image

"""What PyTorch gives: transformers' CLIPTokenizer, CLIPImageProcessor and CLIPModel."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import CLIPModel
from transformers.image_processing_backends import PilBackend
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
    ChineseCLIPImageProcessorPil,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

PROCESSORS: dict[str, type[PilBackend]] = {
    processor.__name__: processor
    for processor in (CLIPImageProcessorPil, ChineseCLIPImageProcessorPil, SiglipImageProcessorPil)
}


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


def processor_of(document: dict[str, Any]) -> PilBackend:
    """transformers' preprocessing for the object in a preprocessor_config.json."""
    return PROCESSORS[document["image_processor_type"]](**document)


def torch_text(model: CLIPModel, ids: np.ndarray) -> np.ndarray:
    """PyTorch's text vectors, of length 1."""
    with torch.inference_mode():
        return _unit(model.get_text_features(input_ids=torch.from_numpy(ids)).pooler_output)


def torch_image(model: CLIPModel, pixels: torch.Tensor) -> np.ndarray:
    """PyTorch's image vectors, of length 1, from normalised pixels (N, 3, S, S)."""
    with torch.inference_mode():
        return _unit(model.get_image_features(pixel_values=pixels).pooler_output)


def _unit(features: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.nn.functional.normalize(features))

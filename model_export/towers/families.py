"""What each family's checkpoint holds, and who writes its towers.

family         image tower   text tower
clip           clip.py       clip.py
metaclip_2     clip.py       clip.py
siglip         siglip.py     siglip.py
chinese_clip   clip.py       bert.py
altclip        clip.py       bert.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_export.config import Family, ModelConfig
from model_export.towers import bert, clip, siglip
from model_export.towers.plan import Precisions
from model_export.towers.shapes import (
    Shapes,
    altclip_shapes,
    chinese_clip_shapes,
    clip_shapes,
    siglip_shapes,
)


@dataclass(frozen=True, slots=True)
class Towers:
    """`shapes` are those of the weights; `image` and `text` write the graphs."""

    shapes: Callable[[ModelConfig], Shapes]
    image: Callable[..., None]
    text: Callable[..., None]


TOWERS: Mapping[Family, Towers] = {
    "clip": Towers(clip_shapes, clip.export_image, clip.export_text),
    "metaclip_2": Towers(clip_shapes, clip.export_image, clip.export_text),
    "siglip": Towers(siglip_shapes, siglip.export_image, siglip.export_text),
    "chinese_clip": Towers(chinese_clip_shapes, clip.export_image, bert.export_text),
    "altclip": Towers(altclip_shapes, clip.export_image, bert.export_text),
}


def weight_shapes(config: ModelConfig) -> Shapes:
    """The weights that a checkpoint must have, and no others."""
    return TOWERS[config.family].shapes(config)


def export_image(
    config: ModelConfig,
    weights: Mapping[str, np.ndarray],
    path: Path,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    precision: Precisions,
) -> None:
    """Write image.onnx and the files beside it; clip.py has its inputs and outputs."""
    TOWERS[config.family].image(config, weights, path, mean, std, precision)


def export_text(
    config: ModelConfig,
    weights: Mapping[str, np.ndarray],
    path: Path,
    start_token: int | None,
    end_token: int,
    precision: Precisions,
) -> None:
    """Write text.onnx and the files beside it. `start_token` None: texts have none."""
    TOWERS[config.family].text(config, weights, path, start_token, end_token, precision)

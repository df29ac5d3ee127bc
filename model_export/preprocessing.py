"""preprocessor_config.json -> size, mean and std; refused if our preprocessing is not that.

clipsearch.images.preprocess does one thing: shorter side to the size, bicubic; centre crop of that
size; then (in image.onnx) values / 255, minus mean, divided by std.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BICUBIC = 3  # PIL.Image.Resampling

STEPS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")

KINDS = {  # of all the times in which CLIP's has had another name
    "CLIPFeatureExtractor",
    "CLIPImageProcessor",
    "CLIPImageProcessorFast",
    "CLIPImageProcessorPil",
}

# Says nothing about the pixels.
IGNORED = {"processor_class", "_processor_class", "data_format", "input_data_format", "device",
           "return_tensors", "disable_grouping", "default_to_square", "_valid_processor_keys",
           "image_seq_length"}  # fmt: skip


OPENCLIP_DEFAULTS = {
    "size": None,
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
}
OPENCLIP_ONLY = {"mode": ("RGB",), "interpolation": ("bicubic",), "resize_mode": ("shortest",)}


class UnsupportedPreprocessing(ValueError):
    """The checkpoint wants its pictures in a way that clipsearch.images.preprocess has not."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """`size` in pixels; `mean` and `std` per channel, of values from 0 to 1."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def parse_preprocessing(config: Mapping[str, Any]) -> Preprocessing:
    """The old form (`"size": 224`) and the new (`"size": {"shortest_edge": 224}`).

    What is left out has the value that CLIPImageProcessor gives it, but for mean and std:
    those must be there. UnsupportedPreprocessing names what is not ours.
    """
    known = {"size", "crop_size", "resample", "rescale_factor", "image_mean", "image_std",
             "image_processor_type", "feature_extractor_type", *STEPS, *IGNORED}  # fmt: skip
    for name, value in config.items():
        if name not in known and value not in (None, False):
            raise UnsupportedPreprocessing(f"{name} {value!r} is not known here")
    for name in ("image_processor_type", "feature_extractor_type"):
        if (kind := config.get(name)) is not None and kind not in KINDS:
            raise UnsupportedPreprocessing(f"{name} {kind!r}; CLIPImageProcessor is supported")
    for name in STEPS:
        if config.get(name, True) is not True:
            raise UnsupportedPreprocessing(f"{name} is {config[name]!r}; it must be true")
    if config.get("resample", BICUBIC) != BICUBIC:
        raise UnsupportedPreprocessing(f"resample {config['resample']!r}; it must be 3 (bicubic)")
    factor = config.get("rescale_factor", 1 / 255)
    if not _is_number(factor) or not math.isclose(factor, 1 / 255, rel_tol=1e-6):
        raise UnsupportedPreprocessing(f"rescale_factor {factor!r}; it must be 1/255")
    size = _side("size", config.get("size", 224), ("shortest_edge",))
    crop = _side("crop_size", config.get("crop_size", 224), ("height", "width"))
    if size != crop:
        raise UnsupportedPreprocessing(f"size {size} and crop_size {crop}; they must be equal")
    mean, std = _channels(config, "image_mean"), _channels(config, "image_std")
    if min(std) <= 0:
        raise UnsupportedPreprocessing(f"image_std {list(std)}; it must be above 0")
    return Preprocessing(size, mean, std)


def parse_openclip(config: Mapping[str, Any], size: int) -> Preprocessing:
    """The preprocess_cfg of open_clip_config.json, for pictures of `size`. What is left out has
    OpenCLIP's default (PreprocessCfg in its transform.py). UnsupportedPreprocessing."""
    steps = {**OPENCLIP_DEFAULTS, **config}
    for name, value in steps.items():
        if name in OPENCLIP_ONLY and value not in OPENCLIP_ONLY[name]:
            allowed = " or ".join(repr(one) for one in OPENCLIP_ONLY[name])
            raise UnsupportedPreprocessing(f"{name} {value!r}; it must be {allowed}")
        if name not in OPENCLIP_ONLY and name not in ("size", "mean", "std", "fill_color"):
            raise UnsupportedPreprocessing(f"{name} {value!r} is not known here")
    if steps["size"] not in (size, [size, size], None):
        raise UnsupportedPreprocessing(f"size {steps['size']!r}; the model's is {size}")
    mean, std = _channels(steps, "mean"), _channels(steps, "std")
    if min(std) <= 0:
        raise UnsupportedPreprocessing(f"std {list(std)}; it must be above 0")
    return Preprocessing(size, mean, std)


def _side(name: str, value: Any, keys: tuple[str, ...]) -> int:
    """A number of pixels, or a dictionary with just `keys`, which all say the same."""
    side = value
    if isinstance(value, Mapping):
        sides = list(value.values()) if set(value) == set(keys) else [None]
        side = sides[0] if sides.count(sides[0]) == len(sides) else None
    if not isinstance(side, int) or isinstance(side, bool) or side < 1:
        wanted = ", ".join(f'"{key}": N' for key in keys)
        raise UnsupportedPreprocessing(f"{name} {value!r}; it must be N or {{{wanted}}}")
    return side


def _channels(config: Mapping[str, Any], name: str) -> tuple[float, float, float]:
    values = config.get(name)
    if not isinstance(values, list) or len(values) != 3 or not all(map(_is_number, values)):
        raise UnsupportedPreprocessing(f"{name} {values!r}; it must be three numbers")
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)

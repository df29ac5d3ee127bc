"""preprocessor_config.json -> size, filter, mean and std; refused if our preprocessing is not that.

clipsearch.images.preprocess has two ways to a square: crop (the shorter side to the size, then the
middle) and squash (both sides to the size), each bicubic or bilinear. Then image.onnx does
values / 255, minus mean, divided by std.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clipsearch.images.preprocess import Resample, Resize

RESAMPLE: dict[int, Resample] = {2: "bilinear", 3: "bicubic"}  # PIL.Image.Resampling

STEPS = ("do_resize", "do_rescale", "do_normalize", "do_convert_rgb")

# What a processor does if its file does not say: transformers' class attributes.
_CROPPED = {"size": {"shortest_edge": 224}, "do_center_crop": True}
_SQUASHED = {"size": {"height": 224, "width": 224}, "do_center_crop": False}
DEFAULTS: dict[str, dict[str, Any]] = {
    "CLIP": _CROPPED,
    "ChineseCLIP": _CROPPED,
    "Siglip": _SQUASHED,
}
SUFFIXES = ("FeatureExtractor", "ImageProcessor", "ImageProcessorFast", "ImageProcessorPil")
KINDS = {name + suffix: name for name in DEFAULTS for suffix in SUFFIXES}

# Says nothing about the pixels.
IGNORED = {"processor_class", "_processor_class", "data_format", "input_data_format", "device",
           "return_tensors", "disable_grouping", "default_to_square", "_valid_processor_keys",
           "image_seq_length"}  # fmt: skip


OPENCLIP_DEFAULTS = {
    "size": None,
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "mode": "RGB",
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
OPENCLIP_RESIZE: dict[str, Resize] = {"shortest": "crop", "squash": "squash"}
OPENCLIP_RESAMPLE: dict[str, Resample] = {"bicubic": "bicubic", "bilinear": "bilinear"}
OPENCLIP_ONLY: dict[str, tuple[str, ...]] = {
    "mode": ("RGB",),
    "interpolation": tuple(OPENCLIP_RESAMPLE),
    "resize_mode": tuple(OPENCLIP_RESIZE),
}


class UnsupportedPreprocessing(ValueError):
    """The checkpoint wants its pictures in a way that clipsearch.images.preprocess has not."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """`size` in pixels; `mean` and `std` per channel, of values from 0 to 1."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Resize = "crop"
    resample: Resample = "bicubic"


def parse_preprocessing(config: Mapping[str, Any]) -> Preprocessing:
    """The old form (`"size": 224`) and the new (`"size": {"shortest_edge": 224}`).

    What is left out has the value that the processor gives it, but for mean and std: those must
    be there. UnsupportedPreprocessing names what is not ours.
    """
    known = {"size", "crop_size", "resample", "rescale_factor", "image_mean", "image_std",
             "image_processor_type", "feature_extractor_type", "do_center_crop", *STEPS,
             *IGNORED}  # fmt: skip
    for name, value in config.items():
        if name not in known and value not in (None, False):
            raise UnsupportedPreprocessing(f"{name} {value!r} is not known here")
    config = {**DEFAULTS[_kind(config)], **config}
    for name in STEPS:
        # SigLIP's say null for do_convert_rgb; photos are converted here whatever it says
        allowed = (True, None) if name == "do_convert_rgb" else (True,)
        if config.get(name, True) not in allowed:
            raise UnsupportedPreprocessing(f"{name} is {config[name]!r}; it must be true")
    resample = config.get("resample", 3)
    if not isinstance(resample, int) or resample not in RESAMPLE:
        raise UnsupportedPreprocessing(
            f"resample {resample!r}; it must be 2 (bilinear) or 3 (bicubic)"
        )
    factor = config.get("rescale_factor", 1 / 255)
    if not _is_number(factor) or not math.isclose(factor, 1 / 255, rel_tol=1e-6):
        raise UnsupportedPreprocessing(f"rescale_factor {factor!r}; it must be 1/255")
    mean, std = _channels(config, "image_mean"), _channels(config, "image_std")
    if min(std) <= 0:
        raise UnsupportedPreprocessing(f"image_std {list(std)}; it must be above 0")
    size, resize = _square(config)
    return Preprocessing(size, mean, std, resize, RESAMPLE[resample])


def _kind(config: Mapping[str, Any]) -> str:
    """The processor that the file is for: a key of DEFAULTS."""
    found = "CLIP"
    for name in ("feature_extractor_type", "image_processor_type"):
        if (kind := config.get(name)) is not None:
            if kind not in KINDS:
                supported = ", ".join(f"{one}ImageProcessor" for one in DEFAULTS)
                raise UnsupportedPreprocessing(f"{name} {kind!r}; supported are {supported}")
            found = KINDS[kind]
    return found


def _square(config: Mapping[str, Any]) -> tuple[int, Resize]:
    """The side in pixels, and how a picture becomes a square of it."""
    size, crops = config["size"], config["do_center_crop"]
    squashes = isinstance(size, Mapping) and "shortest_edge" not in size
    if not (squashes or crops):
        raise UnsupportedPreprocessing(
            f"do_center_crop is {crops!r} with size {size!r}; supported are true, or a size of "
            '{"height": N, "width": N}'
        )
    side = _side("size", size, ("height", "width") if squashes else ("shortest_edge",))
    if crops:
        crop = _side("crop_size", config.get("crop_size", 224), ("height", "width"))
        if side != crop:
            raise UnsupportedPreprocessing(f"size {side} and crop_size {crop}; they must be equal")
    return side, "squash" if squashes else "crop"


def parse_openclip(config: Mapping[str, Any], size: int) -> Preprocessing:
    """The preprocess_cfg of open_clip_config.json, for pictures of `size`. What is left out has
    OpenCLIP's default (PreprocessCfg in its transform.py). UnsupportedPreprocessing."""
    steps = {**OPENCLIP_DEFAULTS, **config}
    for name, value in steps.items():
        if name in OPENCLIP_ONLY and value not in OPENCLIP_ONLY[name]:
            allowed = " or ".join(repr(one) for one in OPENCLIP_ONLY[name])
            raise UnsupportedPreprocessing(f"{name} {value!r}; it must be {allowed}")
        if name not in OPENCLIP_DEFAULTS and name != "fill_color":
            raise UnsupportedPreprocessing(f"{name} {value!r} is not known here")
    if steps["size"] not in (size, [size, size], None):
        raise UnsupportedPreprocessing(f"size {steps['size']!r}; the model's is {size}")
    mean, std = _channels(steps, "mean"), _channels(steps, "std")
    if min(std) <= 0:
        raise UnsupportedPreprocessing(f"std {list(std)}; it must be above 0")
    resize = OPENCLIP_RESIZE[str(steps["resize_mode"])]
    return Preprocessing(size, mean, std, resize, OPENCLIP_RESAMPLE[str(steps["interpolation"])])


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

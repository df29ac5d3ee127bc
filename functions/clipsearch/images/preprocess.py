"""CLIP's image preprocessing, identical to CLIPImageProcessor of transformers 5.23.0.

    RGB -> Resize(shorter side = size, bicubic, antialiased) -> CenterCrop(size) -> uint8

Other families squash the picture instead (SiglipImageProcessor), or resize bilinearly.

Scaling to [0, 1] and normalising are part of image.onnx (model_export).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Literal

from clipsearch.images.raster import Raster, Target, resized

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    Box = tuple[int, int, int, int]

# Increase this when the resulting pixels change. It is part of the embedding space (manifest.py).
# 1: colours are not converted; JPEGs are scaled in decoding only if the scale divides the sides.
# 2: the encoder gets the same colours as the thumbnail; large JPEGs are always scaled.
PREPROCESSING = 2
READABLE = (1, 2)

# crop: the shorter side gets the size, and the middle is cut out. squash: both sides get it.
Resize = Literal["crop", "squash"]
Resample = Literal["bicubic", "bilinear"]

# If resizing would give more pixels than this (1 x 100,000 photo), crop first.
MAX_RESIZED_PIXELS = 16_000_000


@dataclass(frozen=True, slots=True)
class Fit:
    """How the encoder wants pictures: squares of `size` pixels."""

    size: int
    resize: Resize = "crop"
    resample: Resample = "bicubic"


class Square:
    """Size and crop that turn `width` x `height` pixels into the encoder's square input."""

    def __init__(self, width: int, height: int, fit: Fit) -> None:
        from PIL import Image

        size = fit.size
        if fit.resize == "squash":
            across, down = size, size
        elif width <= height:
            across, down = size, size * height // width
        else:
            across, down = size * width // height, size
        # CLIPImageProcessor rounds the offset down in both its back ends. CenterCrop of torchvision
        # rounds half to even: one pixel of difference if the remainder is 3 modulo 4.
        left, top = (across - size) // 2, (down - size) // 2
        self.size = size
        self.crop: Box = (left, top, left + size, top + size)
        filters = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
        self.target = Target(across, down, filters[fit.resample], crop=self.crop)
        self.is_cropped_first = across * down > MAX_RESIZED_PIXELS

    def cropped(self, raster: Raster) -> Image.Image:
        """Crop a very long picture to its middle, then resize."""
        left, top, right, bottom = raster.box
        x, y = (right - left) / self.target.width, (bottom - top) / self.target.height
        left, right = left + self.crop[0] * x, left + self.crop[2] * x
        top, bottom = top + self.crop[1] * y, top + self.crop[3] * y
        width, height = raster.size
        outer = floor(left), floor(top), min(ceil(right), width), min(ceil(bottom), height)
        inner = (left - outer[0], top - outer[1], right - outer[0], bottom - outer[1])
        return raster.part(outer).resize((self.size, self.size), self.target.resample, inner)


def preprocess(
    image: Image.Image, size: int, resize: Resize = "crop", resample: Resample = "bicubic"
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Preprocess an upright picture of any size and mode. Returns (size, size, 3) uint8, RGB."""
    import numpy as np

    raster = Raster(image.crop, to_rgb, image.size, image.size)
    square = Square(*image.size, Fit(size, resize, resample))
    if square.is_cropped_first:
        return np.asarray(square.cropped(raster))
    return np.asarray(resized(raster, [square.target])[0])


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB on a white background."""
    opaque, alpha = split(image)
    return on_white(opaque.convert("RGB"), alpha)


def split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split a picture of 8 bits a channel into (L, RGB or CMYK; alpha as L, None if opaque)."""
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.mode in ("P", "PA") or image.info.get("transparency") is not None:
        has_alpha = image.mode == "PA" or image.info.get("transparency") is not None
        image = image.convert("RGBA" if has_alpha else "RGB")
    alpha = None
    if image.mode in ("LA", "RGBA"):
        alpha, opaque = image.getchannel("A"), image.mode[:-1]
        image = image.convert(opaque)
        if alpha.getextrema() == (255, 255):
            alpha = None
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image, alpha


def on_white(image: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """Put an RGB picture on a white background."""
    from PIL import Image

    if alpha is None:
        return image
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=alpha)
    return page

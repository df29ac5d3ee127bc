"""Times, bytes and likeness of one setting."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from cli.reconcile.plan import CLASS_A, DOWNLOADED_GIB, GIB_SECOND, VCPU_SECOND
from clipsearch.images.decode import decode_photo, decode_reduced
from clipsearch.images.preprocess import to_rgb
from clipsearch.images.previews import preview_target
from clipsearch.images.raster import Raster, Target, resized

T = TypeVar("T")
IMAGE_SIZE = 224  # of the encoder
MEMORY_GIB = 2  # of an instance with one vCPU (docs/deploy.md)
STORAGE_GIB_MONTH = 0.020  # dollars, docs/deploy.md
REPEATED = 7


@dataclass(frozen=True, slots=True)
class Setting:
    """`options`: of Pillow's encoder for `format`. `resample`: of thumbnails."""

    name: str
    longer_side: int
    format: str
    options: dict[str, Any]
    resample: Image.Resampling = Image.Resampling.BICUBIC


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over pictures. `decode`, `resize`, `encode`: ms of CPU. `likeness`: the SSIM with the
    picture before encoding, 1 if equal."""

    decode: float
    resize: float
    encode: float
    bytes: float
    likeness: float

    @property
    def ms(self) -> float:
        return self.decode + self.resize + self.encode

    def dollars_once(self, extra_requests: int) -> float:
        """For a million: the CPU, and `extra_requests` writes each."""
        second = VCPU_SECOND + MEMORY_GIB * GIB_SECOND
        return 1e6 * (self.ms / 1000 * second + extra_requests * CLASS_A)

    @property
    def dollars_a_month(self) -> float:
        """Storage of a million."""
        return 1e6 * self.bytes / 2**30 * STORAGE_GIB_MONTH

    @property
    def dollars_shown(self) -> float:
        """Sending a million over the net."""
        return 1e6 * self.bytes / 2**30 * DOWNLOADED_GIB


def thumbnail(photos: Sequence[bytes], setting: Setting) -> Figures:
    """From the pixels that are decoded for the encoder."""

    def one(data: bytes) -> Figures:
        decoded = _decoded_for_encoder(data)
        width, height = decoded.size
        scale = min(1, setting.longer_side / max(width, height))
        size = round(width * scale), round(height * scale)
        target = Target(*size, setting.resample, gap=2.0)
        raster = Raster(decoded.crop, to_rgb, decoded.size, decoded.size)
        resize, [small] = _timed(lambda: resized(raster, [target]))
        return _encoded(small, setting, 0.0, resize)

    return _mean([one(data) for data in photos])


def preview(photos: Sequence[bytes], setting: Setting) -> Figures:
    """Decoding and resizing together, as the preview takes them."""

    def one(data: bytes) -> Figures:
        decode, image = _timed(lambda: decode_reduced(data, preview_target), 3)
        return _encoded(image, setting, decode, 0.0)

    return _mean([one(data) for data in photos])


def decoding(photos: Sequence[bytes]) -> float:
    """ms of the decoding for the encoder, the thumbnail's resizing included."""
    times = [_timed(partial(decode_photo, data, IMAGE_SIZE), 3)[0] for data in photos]
    return float(np.mean(times))


def _decoded_for_encoder(data: bytes) -> Image.Image:
    """As images/jpeg.py scales it: the shorter side keeps at least 480 pixels."""
    image = Image.open(io.BytesIO(data))
    shorter = min(image.size)
    scale = next(n for n in (8, 4, 2, 1) if shorter // n >= 480 or n == 1)
    if scale > 1:
        image.draft("RGB", (image.width // scale, image.height // scale))
    image.load()
    return image


def _encoded(image: Image.Image, setting: Setting, decode: float, resize: float) -> Figures:
    def encode() -> bytes:
        out = io.BytesIO()
        image.save(out, setting.format, **setting.options)
        return out.getvalue()

    took, data = _timed(encode)
    return Figures(decode, resize, took, len(data), likeness(image, Image.open(io.BytesIO(data))))


def _timed(work: Callable[[], T], times: int = REPEATED) -> tuple[float, T]:
    """(ms of CPU of all threads, the least of some; the result)."""
    least, result = float("inf"), None
    for _ in range(times):
        began = time.process_time()
        result = work()
        least = min(least, time.process_time() - began)
    assert result is not None
    return 1000 * least, result


def _mean(figures: Sequence[Figures]) -> Figures:
    names = ("decode", "resize", "encode", "bytes", "likeness")
    return Figures(*(float(np.mean([getattr(one, name) for one in figures])) for name in names))


def likeness(image: Image.Image, other: Image.Image, side: int = 8) -> float:
    """SSIM of the grey pictures, in windows of `side` pixels.

    Z. Wang and others, "Image Quality Assessment" (2004), with its constants.
    """
    a, b = (np.asarray(it.convert("L"), float) for it in (image, other))
    mean_a, mean_b = _windows(a, side), _windows(b, side)
    var_a = _windows(a * a, side) - mean_a**2
    var_b = _windows(b * b, side) - mean_b**2
    both = _windows(a * b, side) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _windows(pixels: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    sums = np.cumsum(np.cumsum(np.pad(pixels, ((1, 0), (1, 0))), 0), 1)
    return np.asarray((sums[n:, n:] - sums[:-n, n:] - sums[n:, :-n] + sums[:-n, :-n]) / n**2)

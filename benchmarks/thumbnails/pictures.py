"""Drawn pictures with the statistics of photographs.

Dead leaves: discs that hide each other, with radii by a power law (A. B. Lee, D. Mumford and
J. Huang, "Occlusion Models for Natural Images", 2001), and on them texture whose amplitude falls
with the frequency, shade and grain.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

SMALL, LARGE = (640, 480), (4032, 3024)
LEAVES = 1500
LEAST, MOST = 0.004, 0.4  # radii, of the longer side
TEXTURE, GRAIN = 8.0, 1.0  # levels of 255, standard deviation


def photograph(size: tuple[int, int], seed: int) -> Image.Image:
    rng = np.random.default_rng([18, seed])
    leaves = np.asarray(_leaves(size, rng)).astype(np.float32)
    textured = leaves + TEXTURE * _waves(size, rng)[:, :, None]
    textured += GRAIN * rng.standard_normal(leaves.shape, np.float32)
    return Image.fromarray(textured.clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image) -> bytes:
    """As cameras write it."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92)
    return out.getvalue()


def heic(image: Image.Image) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    image.save(out, "HEIF", quality=70)
    return out.getvalue()


def _leaves(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    longer = max(size)
    # density of radii ~ r^-3 between LEAST and MOST
    u = rng.random(LEAVES)
    radii = 1 / np.sqrt(u / LEAST**2 + (1 - u) / MOST**2) * longer
    colours = rng.beta(1.6, 2.2, (LEAVES, 1)) * 255 + rng.normal(0, 26, (LEAVES, 3))
    draw.rectangle((0, 0, *size), tuple(colours[0].clip(0, 255).astype(int).tolist()))
    order = np.argsort(-radii * rng.uniform(0.3, 1, LEAVES))
    for n in order.tolist():
        x, y = rng.random(2) * size
        r = float(radii[n])
        colour: Any = tuple(colours[n].clip(0, 255).astype(int).tolist())
        draw.ellipse((x - r, y - r * rng.uniform(0.5, 1), x + r, y + r), colour)
    return image.filter(ImageFilter.GaussianBlur(longer / 2400))  # of a lens


def _waves(size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(height, width) with a mean of 0 and a standard deviation of 1; amplitude ~ 1 / frequency."""
    width, height = size
    across, down = np.fft.rfftfreq(width), np.fft.fftfreq(height)
    frequency = np.hypot(across[None, :], down[:, None])
    frequency[0, 0] = 1
    phases = np.exp(2j * np.pi * rng.random(frequency.shape))
    spectrum = phases / frequency
    spectrum[0, 0] = 0
    waves = np.fft.irfft2(spectrum, (height, width))
    scaled: npt.NDArray[np.float32] = (waves / waves.std()).astype(np.float32)
    return scaled

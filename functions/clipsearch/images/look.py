"""Describes what a photo looks like: a hash for near-duplicates, and its mean colour."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

SIDE, KEPT = 32, 8
# The cosines as integers: so the hash of the same pixels is the same on every machine.
SCALE = 1 << 12


class Look(NamedTuple):
    """`hash`: 64 bits; similar pictures differ in few. `colour`: mean RGB, 0 to 255."""

    hash: int
    colour: tuple[int, int, int]


def look_of(image: Image.Image) -> Look:
    """Describe an RGB picture, usually the thumbnail."""
    return Look(_perceptual_hash(image), _mean_colour(image))


def _mean_colour(image: Image.Image) -> tuple[int, int, int]:
    import numpy as np

    counts = np.array(image.histogram()).reshape(3, 256)
    pixels = image.width * image.height
    red, green, blue = ((counts @ np.arange(256) + pixels // 2) // pixels).tolist()
    return red, green, blue


def _perceptual_hash(image: Image.Image) -> int:
    """pHash: the low frequencies of the picture in grey that exceed their median.

    C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010).
    """
    import numpy as np
    from PIL import Image

    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    grey = np.asarray(small).astype(np.int64)
    cosines = _cosines()
    waves = (cosines @ grey @ cosines.T).ravel()
    return int.from_bytes(np.packbits(waves > np.median(waves)).tobytes(), "big")


@functools.cache
def _cosines() -> Any:
    """(KEPT, SIDE) of the DCT-II, times SCALE, without the constant one. The rows add up to 0."""
    import numpy as np

    rows, columns = np.arange(1, KEPT + 1)[:, None], np.arange(SIDE)
    return np.rint(SCALE * np.cos(np.pi * rows * (2 * columns + 1) / (2 * SIDE))).astype(np.int64)

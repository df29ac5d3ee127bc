"""What a file's header says, before anything is decoded, and what decoding gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipsearch.images.colour import SRGB, Meaning

if TYPE_CHECKING:
    from PIL import Image

    Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Pixels:
    """`crop(box)` gives a part of the stored pixels, 8 bits a channel; `size` in pixels.

    `scale`: each of them stands for so many of the photo's, in both directions. `orientation` as
    in EXIF (1 to 8) says how they are turned to be upright, `meaning` what colours they are."""

    crop: Callable[[Box], Image.Image]
    size: tuple[int, int]
    scale: int = 1
    orientation: int = 1
    meaning: Meaning = SRGB


@dataclass(frozen=True, slots=True)
class Header:
    """`width` and `height` of the stored picture, in pixels.

    `memory`: the most bytes that decoding takes, beside the file. `load()` decodes; it raises
    UnreadablePhoto, MemoryError, and whatever decoders raise for a damaged file.
    """

    width: int
    height: int
    memory: int
    load: Callable[[], Pixels]

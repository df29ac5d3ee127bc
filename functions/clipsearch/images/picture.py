"""The header of a picture, read before decoding, and its decoded pixels."""

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
    """`crop(box)` returns a part of the stored pixels, 8 bits a channel. `size`: in pixels.

    `scale`: how many pixels of the photo one stored pixel covers, in both directions.
    `orientation`: EXIF orientation, 1 to 8. `meaning`: the colour space.
    """

    crop: Callable[[Box], Image.Image]
    size: tuple[int, int]
    scale: int = 1
    orientation: int = 1
    meaning: Meaning = SRGB


@dataclass(frozen=True, slots=True)
class Header:
    """`width` and `height` of the stored picture, in pixels.

    `memory`: peak bytes of decoding, without the file. `load()` decodes. It raises UnreadablePhoto,
    MemoryError, and any exception that decoders raise for damaged files.
    """

    width: int
    height: int
    memory: int
    load: Callable[[], Pixels]

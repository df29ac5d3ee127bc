"""Grey TIFFs that Pillow does not convert to 8 bits: 12, 16 and 32 bits, floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from clipsearch.images import levels
from clipsearch.images.exif import Directory
from clipsearch.images.tiff_tags import BITS, FORMAT, NO_DATA, PHOTOMETRIC, SAMPLES

if TYPE_CHECKING:
    from PIL import Image

    from clipsearch.images.picture import Box

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
# (format, bits) of one sample -> (Pillow's mode, Pillow's raw mode)
GREY = {
    (UNSIGNED, 12): ("I;16", "I;12"),
    (UNSIGNED, 16): ("I;16", "I;16N"),
    (UNSIGNED, 32): ("I", "I;32N"),
    (SIGNED, 16): ("I", "I;16NS"),
    (SIGNED, 32): ("I", "I;32NS"),
    (FLOAT, 16): ("I;16", "I;16N"),
    (FLOAT, 32): ("F", "F;32NF"),
    (FLOAT, 64): ("F", "F;64NF"),
}
SAMPLED_PIXELS = 1_000_000  # to measure the range of values


def grey_kind(tags: Mapping[int, Any]) -> tuple[int, int] | None:
    """Return (format, bits) of a grey picture with one sample per pixel; None for others."""
    bits, formats = tags.get(BITS, (1,)), tags.get(FORMAT, (UNSIGNED,))
    is_grey = tags.get(PHOTOMETRIC, 0) in (0, 1) and tags.get(SAMPLES, 1) == 1
    return (formats[0], bits[0]) if is_grey and bits and formats else None


def grey_or_plain_crop(picture: Image.Image, page: Directory) -> Callable[[Box], Image.Image]:
    kind = grey_kind(
        page.tags | {PHOTOMETRIC: page.first(PHOTOMETRIC), SAMPLES: page.first(SAMPLES, 1)}
    )
    is_inverted = page.first(PHOTOMETRIC) == 0
    if kind not in GREY:
        return picture.crop
    if kind in ((UNSIGNED, 12), (UNSIGNED, 16)):
        bits = kind[1]
        return lambda box: levels.sixteen_to_eight(picture.crop(box), bits, is_inverted)

    def values(part: Image.Image) -> Any:
        import numpy as np

        found: Any = np.asarray(part)
        if kind == (UNSIGNED, 32):
            found = found.view(np.uint32)
        elif kind == (FLOAT, 16):
            found = found.view(np.float16)
        return found.astype(np.float64)

    white = {UNSIGNED: 2.0**32 - 1, SIGNED: 2.0 ** (kind[1] - 1) - 1, FLOAT: 1.0}[kind[0]]
    darkest, brightest = levels.value_range(values(_sampled(picture)), white, _no_data(page))
    return lambda box: levels.spread(values(picture.crop(box)), darkest, brightest, is_inverted)


def _sampled(picture: Image.Image) -> Image.Image:
    from PIL import Image

    share = (SAMPLED_PIXELS / (picture.width * picture.height)) ** 0.5
    if share >= 1:
        return picture
    size = max(1, int(picture.width * share)), max(1, int(picture.height * share))
    return picture.resize(size, Image.Resampling.NEAREST)


def _no_data(page: Directory) -> float | None:
    """Read GDAL's "no data" value, a number as text."""
    try:
        return float(bytes(page.tags.get(NO_DATA, ())).rstrip(b"\0 ").decode("ascii"))
    except ValueError:
        return None

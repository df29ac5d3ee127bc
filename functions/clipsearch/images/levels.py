"""Pictures of more than 8 bits a channel -> 8 bits, and grey with one level that is transparent.

16 bits keep their high byte, as they do in colour. 32 bits and floating point have no agreed
range: if they do not fill the usual one, they are spread from their darkest to their brightest
value, without what is no part of the picture (infinities, a mark for "no data", a broken pixel).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

# A value farther from all others than these are from each other, twice over, is no light.
FAR = 2.0
LONELY_VALUES = 16  # at each end
USUAL_SHARE = 0.999  # of the values, when some are still far away
NO_NUMBER = 1e30  # programs write the largest float for "no data"


def sixteen_to_eight(
    image: Image.Image, bits: int = 16, is_inverted: bool = False, transparent: int | None = None
) -> Image.Image:
    """A picture of mode I;16 -> L, or LA if one of its values is `transparent`."""
    import numpy as np
    from PIL import Image

    values: Any = np.asarray(image)
    grey = np.minimum(values >> (bits - 8), 255).astype(np.uint8)
    if is_inverted:
        grey = 255 - grey
    if transparent is None:
        return Image.fromarray(grey)
    opaque = np.where(values == transparent, 0, 255).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(grey), Image.fromarray(opaque)))


def with_transparent_level(image: Image.Image, level: int) -> Image.Image:
    """A picture of mode 1 or L -> LA: pixels of this level are transparent."""
    from PIL import Image

    grey = image.convert("L")
    return Image.merge("LA", (grey, grey.point([0 if v == level else 255 for v in range(256)])))


def value_range(values: Any, white: float, no_data: float | None = None) -> tuple[float, float]:
    """The darkest and the brightest of `values` (any shape, floats) that are light; 0 and `white`
    if they fill more than half of that range."""
    import numpy as np

    values = values[np.isfinite(values) & (np.abs(values) < NO_NUMBER)]
    if no_data is not None:
        values = values[values != no_data]
    if not values.size:
        return 0.0, 0.0
    distinct = np.unique(values)
    for _ in range(LONELY_VALUES):
        if len(distinct) < 4:
            break
        low, high = distinct[1] - distinct[0], distinct[-1] - distinct[-2]
        if high >= low and high > FAR * (distinct[-2] - distinct[0]):
            distinct = distinct[:-1]
        elif low > FAR * (distinct[-1] - distinct[1]):
            distinct = distinct[1:]
    darkest, brightest = float(distinct[0]), float(distinct[-1])
    usual = values[(values >= darkest) & (values <= brightest)]
    first, last = np.quantile(usual, [1 - USUAL_SHARE, USUAL_SHARE])
    if brightest - last > FAR * (last - first) > 0:
        brightest = float(last)
    if first - darkest > FAR * (last - first) > 0:
        darkest = float(first)
    return (0.0, white) if darkest >= 0 and white / 2 < brightest <= white else (darkest, brightest)


def spread(values: Any, darkest: float, brightest: float, is_inverted: bool) -> Image.Image:
    """(h, w) floats -> L. What is no number is black."""
    import numpy as np
    from PIL import Image

    scale = 255 / (brightest - darkest) if brightest > darkest else 0.0
    with np.errstate(all="ignore"):
        grey = np.clip((np.nan_to_num(values, nan=darkest) - darkest) * scale, 0, 255)
    grey = grey.astype(np.uint8)
    return Image.fromarray(255 - grey if is_inverted else grey)

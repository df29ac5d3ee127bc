"""Converts more than 8 bits a channel to 8 bits, and grey with one transparent level to LA.

16 bits keep their high byte, as colour does. 32 bits and floats have no standard range. If they do
not fill the usual range, it is stretched from the darkest to the brightest value. Outliers are
excluded: infinities, a "no data" value, broken pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

# A value is an outlier if its gap to the others is more than FAR times their whole range.
FAR = 2.0
LONELY_VALUES = 16  # outliers that are removed at most
USUAL_SHARE = 0.999  # quantile that replaces an extreme that is still far away
NO_NUMBER = 1e30  # programs write the largest float for "no data"


def sixteen_to_eight(
    image: Image.Image, bits: int = 16, is_inverted: bool = False, transparent: int | None = None
) -> Image.Image:
    """Convert mode I;16 to L, or to LA if a value `transparent` is given.

    `bits`: used bits of each value. `is_inverted`: 0 is white.
    """
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
    """Convert mode 1 or L to LA: pixels of this level are transparent."""
    from PIL import Image

    grey = image.convert("L")
    return Image.merge("LA", (grey, grey.point([0 if v == level else 255 for v in range(256)])))


def value_range(values: Any, white: float, no_data: float | None = None) -> tuple[float, float]:
    """Return (darkest, brightest) of `values` (any shape, floats), without outliers.

    Returns (0, `white`) if the values fill more than half of that range.
    """
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
    """Stretch (h, w) floats to mode L. NaN becomes black, or white if `is_inverted`."""
    import numpy as np
    from PIL import Image

    scale = 255 / (brightest - darkest) if brightest > darkest else 0.0
    with np.errstate(all="ignore"):
        grey = np.clip((np.nan_to_num(values, nan=darkest) - darkest) * scale, 0, 255)
    grey = grey.astype(np.uint8)
    return Image.fromarray(255 - grey if is_inverted else grey)

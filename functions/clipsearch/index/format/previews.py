"""Which photos need a preview, by what the index knows of them.

Browsers cannot show some formats, and large files take long to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.facts import FORMATS

NOT_SHOWN = "HEIC", "TIFF"
LARGE = 4_000_000  # bytes of a file
# A preview of one frame would hide that a GIF moves, as nearly all large ones do.
NEVER = ("GIF",)
THUMBNAIL_PIXELS = 480  # of the longer side: a thumbnail shows all of a smaller photo


def needs_preview(
    formats: npt.ArrayLike, sizes: npt.ArrayLike, widths: npt.ArrayLike, heights: npt.ArrayLike
) -> npt.NDArray[np.bool_]:
    """(n,) mask, or () of one photo. `formats` as stored in FACTS; `sizes`: bytes."""
    needs: Any = np.isin(formats, _numbers(NOT_SHOWN)) | (np.asarray(sizes) > LARGE)
    needs &= ~np.isin(formats, _numbers(NEVER))
    return np.asarray(needs & (np.maximum(widths, heights) > THUMBNAIL_PIXELS))


def format_number(name: str) -> int:
    """As stored in FACTS; 0: unknown."""
    return FORMATS.index(name) + 1 if name else 0


def _numbers(names: tuple[str, ...]) -> list[int]:
    return [format_number(name) for name in names]

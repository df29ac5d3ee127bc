"""The largest photos. Apart from the decoders, which texts never load."""

from __future__ import annotations

MAX_BYTES = 20_000_000
MAX_PIXELS = 8192 * 6144  # phones with "50 megapixels" take 8160 x 6144

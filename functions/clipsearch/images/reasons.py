"""Why a file cannot be decoded, in words for people."""

from __future__ import annotations

import re

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.limits import MAX_PIXELS


def reason_of(kind: str, exc: Exception) -> Exception:
    """Return what to raise for an exception of a decoder of the format `kind`."""
    from PIL import Image

    if isinstance(exc, Image.DecompressionBombError):  # a header of more than 179 megapixels
        return UnreadablePhoto(f"more than {MAX_PIXELS / 1e6:.1f} megapixels: {exc}")
    if "out of memory" in str(exc):  # Pillow raises OSError for it
        return MemoryError(str(exc))
    return UnreadablePhoto(f"damaged or cut off {kind}{_said(exc)}")


def _said(exc: Exception) -> str:
    """Return the decoder's message if people can read it; Python's own messages are dropped."""
    text = " ".join(str(exc).split())  # libheif adds line breaks
    is_sentence = isinstance(exc, (OSError, SyntaxError, ValueError, EOFError, RuntimeError))
    is_plain = text.isprintable() and not re.search(
        r"b'|unpack|<\w|0x|\bNone\b|codec can't|index|driver|error -", text
    )
    return f": {text}" if text and is_sentence and is_plain else ""

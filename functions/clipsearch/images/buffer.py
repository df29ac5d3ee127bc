"""Decoded rows in one buffer, read in strips: a Pillow picture of the whole would be a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

    from clipsearch.images.picture import Box


class Buffer:
    """Rows of `stride` bytes. `raw`: Pillow's raw mode of the rows; the default is `mode`."""

    def __init__(
        self, pixels: Any, mode: str, size: tuple[int, int], stride: int, raw: str = ""
    ) -> None:
        self._pixels = memoryview(pixels).cast("B")
        self._mode, self._size, self._stride, self._raw = mode, size, stride, raw or mode

    def crop(self, box: Box) -> Image.Image:
        from PIL import Image

        left, top, right, bottom = box
        rows: Any = self._pixels[top * self._stride : bottom * self._stride]
        size = (self._size[0], bottom - top)
        strip = Image.frombuffer(self._mode, size, rows, "raw", self._raw, self._stride, 1)
        return strip.crop((left, 0, right, bottom - top))

"""What a container of pictures holds about them, not yet interpreted."""

from __future__ import annotations

from dataclasses import dataclass

MAX_EXIF = 1 << 20  # bytes; JPEG allows 64 KB
MAX_XMP = 256 * 1024  # bytes


@dataclass(slots=True)
class Metadata:
    """`exif` begins with its TIFF header. `created`: the creation time of a PNG.

    `is_complete`: all of it is in the data.
    """

    exif: bytes | memoryview = b""
    xmp: bytes = b""
    created: str = ""
    is_complete: bool = False

    def take_exif(self, content: memoryview) -> None:
        """Keep the first one. It may start with "Exif\\0\\0"."""
        start = 6 if bytes(content[:6]) == b"Exif\0\0" else 0
        self.exif = self.exif or bytes(content[start : start + MAX_EXIF])

    def take_xmp(self, content: memoryview) -> None:
        self.xmp = self.xmp or bytes(content[:MAX_XMP])

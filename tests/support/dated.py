"""Photos with a date, a time zone and a place in their EXIF."""

from __future__ import annotations

import io

from PIL import Image

from tests.support.pictures import Colour, Size, encoded

TAKEN = "2023:07:14 18:03:22"
TAKEN_S = 1689357802  # by the photographer's clock
OFFSET_MINUTES = 120
PLACE = (48.5, -2.25)

EXIF_DIRECTORY, GPS_DIRECTORY = 0x8769, 0x8825


def dated_jpeg(colour: Colour = "red", size: Size = (400, 300), junk: int = 0) -> bytes:
    """A JPEG taken at TAKEN and PLACE. `junk`: bytes of other metadata before EXIF."""
    exif = Image.Exif()
    exif.get_ifd(EXIF_DIRECTORY).update({0x9003: TAKEN, 0x9011: "+02:00"})
    exif.get_ifd(GPS_DIRECTORY).update({1: "N", 2: (48.0, 30.0, 0.0), 3: "W", 4: (2.0, 15.0, 0.0)})
    image = Image.new("RGB", size, colour)
    for x in range(0, size[0] - 20, 40):
        image.paste("white", (x, x // 2, x + 20, x // 2 + 30))
    data = encoded(image, "JPEG", quality=90, exif=exif)
    return data[:2] + _comments(junk) + data[2:]


def _comments(size: int) -> bytes:
    """JPEG segments of about `size` bytes in all."""
    out = io.BytesIO()
    while size > 0:
        part = min(size, 60_000)
        out.write(b"\xff\xfe" + (part + 2).to_bytes(2, "big") + b"x" * part)
        size -= part
    return out.getvalue()

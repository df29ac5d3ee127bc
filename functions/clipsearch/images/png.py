"""PNG (https://www.w3.org/TR/png-3/): passes only the chunks with pixel data to the decoder.

So large texts and profiles and damaged ancillary chunks cannot fail a picture. This module reads
colour space and orientation from the ancillary chunks.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.colour import Meaning
from clipsearch.images.exif import orientation_of
from clipsearch.images.levels import sixteen_to_eight, with_transparent_level
from clipsearch.images.picture import Header, Pixels
from clipsearch.images.pieces import as_file

if TYPE_CHECKING:
    from PIL import Image

    from clipsearch.images.picture import Box

MAX_CHUNKS = 100_000  # a photo of 20 MB has a few thousand
MAX_PROFILE_BYTES = 4_000_000  # iCCP, decompressed; the largest printer profiles have 3 MB

_NEEDED = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_READ = {b"tRNS", b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM", b"eXIf"}
GREY, RGB, PALETTE = 0, 2, 3
_TRANSPARENT_BYTES = {GREY: {2}, RGB: {6}, PALETTE: set(range(1, 257))}


@dataclass(slots=True)
class _Found:
    kept: list[memoryview] = field(default_factory=list)
    width: int = 0
    height: int = 0
    bits: int = 8
    colour: int = RGB
    extra: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def bytes_a_pixel(self) -> int:
        """Bytes per pixel of Pillow's image."""
        if self.colour == GREY:
            return 2 if self.bits == 16 else 1
        return 1 if self.colour == PALETTE else 4


def read_header(data: bytes) -> Header:
    found = _chunks(memoryview(data))
    return Header(
        found.width,
        found.height,
        found.width * found.height * found.bytes_a_pixel,
        lambda: _load(found),
    )


def _chunks(data: memoryview) -> _Found:
    """Select the chunks for the decoder, which reports all damage in them."""
    found, at, kept_from = _Found(), 8, 0
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            break
        length, name = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        end = at + 12 + length
        if not _goes_to_the_decoder(found, data[at:end], name):
            found.kept.append(data[kept_from:at])
            kept_from = end
        at = end
        if name == b"IEND":
            break
    else:
        raise UnreadablePhoto(f"PNG with more than {MAX_CHUNKS:,} chunks is not supported")
    found.kept.append(data[kept_from : max(at, kept_from)] if at <= len(data) else data[kept_from:])
    return found


def _goes_to_the_decoder(found: _Found, chunk: memoryview, name: bytes) -> bool:
    content = chunk[8:-4]
    if name == b"IHDR" and len(content) >= 13:
        found.width, found.height, found.bits, found.colour = struct.unpack(">IIBB", content[:10])
    if name in _NEEDED:
        return True
    if not name[:1].islower() and name.isalpha():
        raise UnreadablePhoto(f"PNG with the chunk {name.decode('ascii')} is not supported")
    if name not in _READ or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        return False
    if name == b"tRNS":
        if len(content) not in _TRANSPARENT_BYTES.get(found.colour, ()):
            return False
        if found.colour == PALETTE or (found.colour == RGB and found.bits == 8):
            return True  # Pillow handles these
    found.extra.setdefault(name, bytes(content))
    return False


def _load(found: _Found) -> Pixels:
    from PIL.PngImagePlugin import PngImageFile

    picture = PngImageFile(as_file(*found.kept))
    picture.load()
    key = found.extra.get(b"tRNS") if found.colour == GREY else None
    level = None if key is None else int.from_bytes(key, "big")

    def crop(box: Box) -> Image.Image:
        part = picture.crop(box)
        if found.bits == 16 and found.colour == GREY:
            return sixteen_to_eight(part, transparent=level)
        if level is None:
            return part
        return with_transparent_level(part, level * 255 // (2**found.bits - 1))

    return Pixels(
        crop,
        picture.size,
        orientation=orientation_of(found.extra.get(b"eXIf")),
        meaning=_meaning(found.extra),
    )


def _meaning(extra: dict[bytes, bytes]) -> Meaning:
    """The colour space. Precedence as in table 10: cICP, iCCP, sRGB, gAMA with cHRM."""
    codes = extra.get(b"cICP", b"")
    if len(codes) == 4:
        return Meaning.of_codes(codes[0], codes[1])
    profile = _profile(extra.get(b"iCCP", b""))
    if profile:
        return Meaning(icc=profile)
    gamma = extra.get(b"gAMA", b"")
    if b"sRGB" in extra or len(gamma) != 4 or not any(gamma):
        return Meaning()
    return Meaning(gamma=100_000 / int.from_bytes(gamma, "big"), primaries=_primaries(extra))


def _primaries(extra: dict[bytes, bytes]) -> tuple[tuple[float, float], ...] | None:
    chromaticities = extra.get(b"cHRM", b"")
    if len(chromaticities) != 32:
        return None
    values = [value / 100_000 for value in struct.unpack(">8I", chromaticities)]
    pairs = tuple(zip(values[::2], values[1::2], strict=True))
    # y is a divisor, and three points in a line span no colours
    (xr, yr), (xg, yg), (xb, yb) = pairs[1:]
    area = abs((xg - xr) * (yb - yr) - (xb - xr) * (yg - yr)) / 2
    is_sane = all(0 <= x <= 1 and 0.001 < y <= 1 for x, y in pairs) and area > 0.01
    return pairs if is_sane else None


def _profile(chunk: bytes) -> bytes | None:
    """Decompress iCCP: name, a zero byte, the method (0: zlib), the profile."""
    _, _, rest = chunk.partition(b"\0")
    if rest[:1] != b"\0":
        return None
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(rest[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if inflate.eof else None

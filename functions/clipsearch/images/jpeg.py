"""JPEG (ITU-T T.81): passes only the pixel data to the decoder, which may scale it down.

Application segments and comments are left out, so that damage in them cannot fail a picture. This
module reads orientation and colour profile from them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.colour import Meaning
from clipsearch.images.exif import orientation_of
from clipsearch.images.picture import Header, Pixels
from clipsearch.images.pieces import as_file

if TYPE_CHECKING:
    from PIL import JpegImagePlugin

    Component = tuple[int, int]  # horizontal and vertical sampling factor

# libjpeg visits each block of 8 x 8 samples once per scan. A photo of 50 megapixels with ten scans
# needs 20 million visits; 200 million take a second or two.
MAX_BLOCK_VISITS = 200_000_000
MAX_SCANS = 2000
# Bytes that the decoder needs after the last byte in order to use it.
LOOK_AHEAD = 8
# A JPEG with more pixels is always scaled down by at least 2, to save memory.
ALWAYS_SCALED_PIXELS = 12_000_000

SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
PROGRESSIVE = {0xC2, 0xCA}
SOS, EOI, COM, APP0, APP1, APP2, APP14 = 0xDA, 0xD9, 0xFE, 0xE0, 0xE1, 0xE2, 0xEE
# A marker that ends entropy-coded data: not a stuffed zero, a restart marker or a fill byte.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)


@dataclass(slots=True)
class _Found:
    """Facts from the segments. `kept`: the pieces for the decoder, including the first scan."""

    kept: list[memoryview] = field(default_factory=list)
    width: int = 0
    height: int = 0
    is_progressive: bool = False
    components: dict[int, Component] = field(default_factory=dict)
    scans: list[list[int]] = field(default_factory=list)
    bits_left: dict[tuple[int, int], int] = field(default_factory=dict)
    exif: bytes | None = None
    profile: dict[int, bytes] = field(default_factory=dict)
    is_ended: bool = False
    ends_refining: bool = False

    @property
    def has_many_scans(self) -> bool:
        return self.is_progressive or len(self.scans) > 1


def read_header(data: bytes, least: int, may_cut: bool) -> Header:
    """Read the header of a JPEG. Raises UnreadablePhoto.

    `least`: minimum pixels of the shorter side after scaling. `may_cut`: also scale if the scale
    does not divide the sides.
    """
    found = _segments(memoryview(data))
    scale = _scale(found, least, may_cut)
    blocks = {
        name: ceil(found.width * across / _most(found, 0) / 8)
        * ceil(found.height * down / _most(found, 1) / 8)
        for name, (across, down) in found.components.items()
    }
    visits = sum(blocks.get(name, 0) for scan in found.scans for name in scan)
    if visits > MAX_BLOCK_VISITS:
        raise UnreadablePhoto(
            f"{len(found.scans)} scans of {found.width} x {found.height} pixels take too long to "
            f"decode: {visits / 1e6:.0f} million blocks; "
            f"at most {MAX_BLOCK_VISITS // 1_000_000} million are allowed"
        )
    # With several scans, libjpeg keeps all coefficients until the end: 64 of 2 bytes per block.
    coefficients = sum(blocks.values()) * 128 if found.has_many_scans else 0
    pixels = ceil(found.width / scale) * ceil(found.height / scale)
    return Header(
        found.width,
        found.height,
        coefficients + pixels * (1 if len(found.components) == 1 else 4),
        lambda: _load(found, scale),
    )


def _most(found: _Found, axis: int) -> int:
    return max((sampling[axis] for sampling in found.components.values()), default=1) or 1


def _scale(found: _Found, least: int, may_cut: bool) -> int:
    """Return 8, 4, 2 or 1: the largest that leaves `least` pixels on the shorter side."""
    is_large = found.width * found.height > ALWAYS_SCALED_PIXELS
    for scale in (8, 4, 2):
        is_enough = min(found.width, found.height) // scale >= least
        divides = found.width % scale == found.height % scale == 0
        if is_enough and (divides or may_cut or is_large):
            return scale
    return 2 if is_large else 1


def _load(found: _Found, scale: int) -> Pixels:
    from PIL.JpegImagePlugin import JpegImageFile

    pieces: list[bytes | memoryview] = [*found.kept]
    if not found.is_ended and found.has_many_scans:
        # libjpeg returns rows only after an end marker, and cannot tell if the last scan is whole.
        # So require that all scans have started and that the last one only refines one bit.
        if not found.bits_left or any(found.bits_left.values()) or not found.ends_refining:
            raise UnreadablePhoto("damaged or cut off JPEG: scans are missing")
        pieces.append(b"\xff\xd9")
    elif not found.is_ended:
        pieces.append(bytes(LOOK_AHEAD))
    picture = JpegImageFile(as_file(*pieces))
    if scale > 1:
        picture.draft(None, (found.width // scale, found.height // scale))
    if found.is_ended or found.has_many_scans:
        picture.load()
    else:
        _load_without_end(picture)
    profile = b"".join(found.profile[number] for number in sorted(found.profile))
    orientation = orientation_of(found.exif)
    return Pixels(picture.crop, picture.size, scale, orientation, Meaning(icc=profile or None))


def _load_without_end(picture: JpegImagePlugin.JpegImageFile) -> None:
    """Load a JPEG without an end marker, which Pillow requires even if all rows are complete.

    The picture is filled with a known colour first. If the last row still has it, rows are missing:
    raises Pillow's OSError.
    """
    from PIL import Image

    fill: Any = {"L": 1, "RGB": (1, 2, 3), "CMYK": (1, 2, 3, 4)}[picture.mode]
    untouched: Any = (1, 1) if picture.mode == "L" else tuple((v, v) for v in fill)
    core: Any = Image.core  # type: ignore[attr-defined]
    picture.im = core.fill(picture.mode, picture.size, fill)
    try:
        picture.load()
    except OSError:
        picture.tile = []  # nothing more to load
        if picture.crop((0, picture.height - 1, *picture.size)).getextrema() == untouched:
            raise


def _segments(data: memoryview) -> _Found:
    """Collect the segments. The decoder reports all damage."""
    found = _Found(kept=[data[:2]])
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:  # junk between segments
            at += 1
            continue
        marker = data[at + 1]
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # fill, or no length
            at += 1 if marker == 0xFF else 2
            continue
        if marker == EOI:
            break
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : end]
        if marker == SOS:
            _read_scans(found, data, at)
            break
        if _is_needed(marker, content):
            found.kept.append(data[at:end])
        _read_segment(found, marker, content)
        at = end
    return found


def _is_needed(marker: int, content: memoryview) -> bool:
    """Keep JFIF and Adobe: they define the components. libjpeg ignores short ones."""
    if marker == APP0:
        return bytes(content[:5]) == b"JFIF\0" and len(content) >= 14
    if marker == APP14:
        return bytes(content[:5]) == b"Adobe" and len(content) >= 12
    return not (APP0 <= marker <= 0xEF or marker == COM)


def _read_segment(found: _Found, marker: int, content: memoryview) -> None:
    if marker in SOF and len(content) >= 6 and not found.components:
        if content[0] != 8:
            raise UnreadablePhoto(f"JPEG of {content[0]} bits a channel is not supported")
        found.height, found.width = struct.unpack(">HH", content[1:5])
        found.is_progressive = marker in PROGRESSIVE
        for at in range(6, min(len(content) - 2, 6 + 3 * content[5]), 3):
            name, sampling = content[at], content[at + 1]
            found.components[name] = (sampling >> 4 or 1, sampling & 15 or 1)
        found.bits_left = {(name, k): 1 for name in found.components for k in range(64)}
    elif marker == APP1 and bytes(content[:6]) == b"Exif\0\0":
        found.exif = found.exif or bytes(content)
    elif marker == APP2 and bytes(content[:12]) == b"ICC_PROFILE\0" and len(content) > 14:
        found.profile.setdefault(content[12], bytes(content[14:]))


def _read_scans(found: _Found, data: memoryview, at: int) -> None:
    """`at`: the offset of the first scan. The decoder gets everything from there on."""
    found.kept.append(data[at:])
    while True:
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        scan = data[at + 4 : at + 2 + size]
        is_sound = len(scan) > 3 and scan[0] <= 4 and len(scan) == 2 * scan[0] + 4
        names = [scan[1 + 2 * i] for i in range(scan[0])] if is_sound else []
        found.scans.append(names)
        if len(found.scans) > MAX_SCANS:
            raise UnreadablePhoto(
                f"it has more than {MAX_SCANS} scans, which take too long to decode"
            )
        first, last, bits = (*scan[-3:-1], scan[-1] & 15) if names else (0, -1, 0)
        found.ends_refining = bool(names) and scan[-1] >> 4 > 0
        for name in names:
            found.bits_left.update(((name, k), bits) for k in range(first, min(last, 63) + 1))
        if len(names) == len(found.components) and not found.is_progressive:
            found.is_ended = bytes(data[-2:]) == b"\xff\xd9" or _ends(data, at + 2 + size)
            return
        at = _next_scan(found, data, at + 2 + size)
        if not at:
            return


def _ends(data: memoryview, at: int) -> bool:
    """Whether an end marker follows the only scan. Anything may follow it."""
    marker = _MARKER.search(data, at)
    return marker is not None and marker[1][0] == EOI


def _next_scan(found: _Found, data: memoryview, at: int) -> int:
    """Return the offset of the next scan, after any tables; 0 if there is none."""
    while marker := _MARKER.search(data, at):
        kind, at = marker[1][0], marker.start()
        if kind == SOS:
            return at
        if kind == EOI:
            found.is_ended = True
            return 0
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0

"""Decodes HEIC with libheif (pillow-heif) and AVIF with libavif (Pillow), to 8 bits a channel."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

from clipsearch.images.buffer import Buffer
from clipsearch.images.colour import SRGB, Meaning
from clipsearch.images.exif import orientation_of
from clipsearch.images.isobmff import MAX_BOXES, Box, boxes, first_box
from clipsearch.images.picture import Header, Pixels

# Peak bytes per pixel, measured (docs/decoding.md). HEIC: by chroma subsampling, for 8 bits a
# channel and for more. AVIF: for 8 bits and for more.
HEIC_MEMORY = {420: (5.0, 8.0), 422: (8.5, 13.5), 444: (9.5, 15.5)}
AVIF_MEMORY = 10.0, 14.0
HEIC_ALPHA, AVIF_ALPHA = 2.5, 4.0


def read_heic(data: bytes) -> Header:
    from pillow_heif import HeifFile

    open_file: Any = HeifFile  # untyped

    file = open_file(io.BytesIO(data), convert_hdr_to_8bit=True, remove_stride=False)
    frame = file[file.primary_index]
    memory = HEIC_MEMORY.get(int(frame.info.get("chroma") or 420), HEIC_MEMORY[444])
    a_pixel = memory[frame.info.get("bit_depth", 8) > 8] + HEIC_ALPHA * _has_alpha(frame.mode)
    width, height = frame.size
    return Header(width, height, int(width * height * a_pixel), lambda: _load_heic(frame))


def _has_alpha(mode: str) -> bool:
    return mode.endswith(("A", "a"))


def _load_heic(frame: Any) -> Pixels:
    """Ignores EXIF orientation: libheif has applied irot and imir (ISO 23008-12, A.3.2)."""
    crop = Buffer(frame.data, frame.mode, frame.size, frame.stride).crop
    profile, codes = frame.info.get("icc_profile"), frame.info.get("nclx_profile")
    if profile:
        meaning = Meaning(icc=profile)
    elif codes:
        names = "color_primaries", "transfer_characteristics"
        meaning = Meaning.of_codes(*(int(codes[name]) for name in names))
    else:
        meaning = SRGB
    return Pixels(crop, frame.size, meaning=meaning)


def read_avif(data: bytes) -> Header:
    from PIL.AvifImagePlugin import AvifImageFile

    picture = AvifImageFile(io.BytesIO(data))
    a_pixel = AVIF_MEMORY[_has_many_bits(data)] + AVIF_ALPHA * _has_alpha(picture.mode)
    memory = int(picture.width * picture.height * a_pixel)
    return Header(picture.width, picture.height, memory, lambda: _load_avif(picture, data))


def _has_many_bits(data: bytes) -> bool:
    """Whether any picture of the file has more than 8 bits a channel (AV1-ISOBMFF, 2.3: av1C)."""
    try:
        properties = first_box(first_box(memoryview(data), b"meta")[4:], b"iprp")
        found = boxes(first_box(properties, b"ipco"))
        return any(box.kind == b"av1C" and box.content[2] & 0x40 for box in found)
    except (IndexError, StopIteration):
        return True


def _load_avif(picture: Any, data: bytes) -> Pixels:
    pixels = picture._decoder.get_frame(0)[0]
    stride = picture.width * len(picture.getbands())
    crop = Buffer(pixels, picture.mode, picture.size, stride).crop
    profile = picture.info.get("icc_profile")
    # Pillow converts irot and imir of the container to an EXIF orientation
    orientation = orientation_of(picture.info.get("exif"))
    meaning = Meaning(icc=profile) if profile else _coded_meaning(data)
    return Pixels(crop, picture.size, orientation=orientation, meaning=meaning)


def _coded_meaning(data: bytes) -> Meaning:
    """Read the code points (colr, nclx) of the primary item; sRGB if there are none.

    ISO 14496-12: 8.11.4 pitm, 8.11.14 iprp; 12.1.5 colr.
    """
    try:
        for kind, content, _ in _primary_properties(memoryview(data)):
            if kind == b"colr" and bytes(content[:4]) == b"nclx":
                return Meaning.of_codes(*struct.unpack(">HH", content[4:8]))
    except (struct.error, IndexError, StopIteration):
        pass
    return SRGB


def _primary_properties(data: memoryview) -> Iterator[Box]:
    meta = first_box(data, b"meta")[4:]  # a full box: version and flags
    primary = first_box(meta, b"pitm")
    item = int.from_bytes(primary[4 : 6 if primary[0] == 0 else 8], "big")
    properties = first_box(meta, b"iprp")
    found = list(boxes(first_box(properties, b"ipco")))
    for index in _associated(first_box(properties, b"ipma"), item):
        if 1 <= index <= len(found):
            yield found[index - 1]


def _associated(ipma: memoryview, item: int) -> Iterator[int]:
    """Yield the numbers of an item's properties, counted from 1."""
    item_form, wide = (">H" if ipma[0] == 0 else ">I"), ipma[3] & 1
    count, at = struct.unpack_from(">I", ipma, 4)[0], 8
    for _ in range(min(count, MAX_BOXES)):
        found = struct.unpack_from(item_form, ipma, at)[0]
        at += struct.calcsize(item_form)
        size, numbers = 1 + wide, ipma[at]
        at += 1
        if found == item:
            mask = 0x7FFF if wide else 0x7F  # the highest bit: essential
            for i in range(at, at + numbers * size, size):
                yield int.from_bytes(ipma[i : i + size], "big") & mask
        at += numbers * size

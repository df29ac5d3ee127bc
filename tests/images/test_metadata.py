"""Metadata that no pixel needs refuses no photo."""

from __future__ import annotations

import struct
import zlib

import pytest

from clipsearch.images import jpeg
from clipsearch.images.decode import decode_photo
from tests.images.scene import PNG, SCENE, SIZE, chunk, looks_like, reason
from tests.support.pictures import encoded

AFTER_HEADER, BEFORE_END = 33, len(PNG) - 12

CHUNKS = {
    "2 MB of text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_000_000))),
    "text of 1 MB, twenty times": chunk(b"tEXt", b"Comment\0" + b"x" * 900_000) * 20,
    "a profile of 20 MB": chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(20_000_000))),
    "a profile that is none": chunk(b"iCCP", b"p\0\0" + zlib.compress(b"no profile")),
    "a text with a wrong checksum": chunk(b"tEXt", b"Comment\0x", crc=1),
    "a gamma with a wrong checksum": chunk(b"gAMA", struct.pack(">I", 100_000), crc=1),
    "a short pHYs": chunk(b"pHYs", b"\0"),
    "a short gAMA": chunk(b"gAMA", b"\0"),
    "a gamma of 0": chunk(b"gAMA", bytes(4)),
    "a cHRM without area": chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"cHRM", bytes(32)),
    "a short tIME": chunk(b"tIME", b"\0"),
    "a short tRNS": chunk(b"tRNS", b"\0"),
    "a long tRNS": chunk(b"tRNS", bytes(300)),
    "an unknown one": chunk(b"abCd", b"anything"),
}


@pytest.mark.parametrize("at", [AFTER_HEADER, BEFORE_END], ids=["before", "after"])
@pytest.mark.parametrize("name", CHUNKS)
def test_a_chunk_that_no_pixel_needs_refuses_no_png(name, at):
    looks_like(decode_photo(PNG[:at] + CHUNKS[name] + PNG[at:], SIZE), SCENE, within=0)


def test_a_png_of_a_million_chunks_is_refused():
    data = PNG[:33] + chunk(b"tEXt", b"") * 150_000 + PNG[33:]
    assert "chunks" in reason(data)


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


SEGMENTS = {
    "a short JFIF": segment(0xE0, b"JFIF\0"),
    "a short Adobe": segment(0xEE, b"Adobe\0"),
    "a short Exif": segment(0xE1, b"Exif\0\0II"),
    "a short XMP": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
    "a short profile": segment(0xE2, b"ICC_PROFILE\0\1"),
    "a part of a profile": segment(0xE2, b"ICC_PROFILE\0\2\3" + b"x" * 100),
    "a short Photoshop": segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4"),
    "a short MPF": segment(0xE2, b"MPF\0"),
}


@pytest.mark.parametrize("name", SEGMENTS)
def test_a_segment_that_no_pixel_needs_refuses_no_jpeg(name):
    data = encoded(SCENE, "JPEG", quality=95)
    looks_like(decode_photo(data[:2] + SEGMENTS[name] + data[2:], SIZE), SCENE)


@pytest.mark.parametrize(
    ("options", "cuts"),
    [
        ({}, (0.5, 0.9, 0.98)),
        ({"progressive": True}, (0.2, 0.5)),  # what is behind may be the last bit of the last scan
        ({"restart_marker_rows": 1}, (0.5, 0.9)),
    ],
    ids=["baseline", "progressive", "with restarts"],
)
def test_a_jpeg_may_lack_its_end_marker_but_nothing_else(options, cuts):
    data = encoded(SCENE, "JPEG", quality=95, **options)
    assert data.endswith(b"\xff\xd9")
    looks_like(decode_photo(data[:-2], SIZE), SCENE)
    for share in cuts:
        assert reason(data[: int(len(data) * share)]).startswith("damaged or cut off JPEG")


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_that_holds_for_grey_and_cmyk_too(mode):
    data = encoded(SCENE.convert(mode), "JPEG", quality=95)
    looks_like(decode_photo(data[:-2], SIZE), SCENE.convert(mode).convert("RGB"), within=4)
    assert reason(data[: len(data) // 2]).startswith("damaged or cut off JPEG")


def test_scans_of_more_components_than_a_jpeg_can_have_cost_nothing():
    """255 components of 64 coefficients in each of thousands of scans would be minutes of work."""
    data = encoded(SCENE, "JPEG", progressive=True)
    header = segment(0xDA, bytes([255]) + bytes(range(255)) * 2 + b"\0\x3f\0")
    found = jpeg._segments(memoryview(data[:-2] + header * 100 + data[-2:]))
    assert len(found.bits_left) == 3 * 64
    assert sum(map(len, found.scans)) <= 4 * len(found.scans)

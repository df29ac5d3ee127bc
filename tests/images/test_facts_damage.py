"""Damaged and hostile metadata: no error, no large memory, no endless work."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.facts import FileFacts, file_facts
from tests.images.scene import chunk
from tests.images.stating import PILLOW, TAKEN, stating, usual, xmp
from tests.support.pictures import jpeg

MUTATIONS = 300
PACKET = xmp(
    photoshop_DateCreated="2023-07-14T18:03:22Z",
    exif_GPSLatitude="51,28,40.08N",
    exif_GPSLongitude="0,0.0885W",
)


@contextmanager
def modest(memory: int = 4_000_000) -> Iterator[None]:
    """Asserts that little memory is used inside."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, a part removed, doubled or cut off; the first ones keep the format."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        begin, end = sorted(int(at) for at in rng.integers(32, len(found), 2))
        match rng.integers(6):
            case 0:
                found[begin] = rng.integers(256)
            case 1:
                found[begin : begin + 4] = b"\xff\xff\xff\xff"
            case 2:
                found[begin : begin + 4] = rng.bytes(4)
            case 3:
                del found[begin : begin + min(end - begin, 20)]
            case 4:
                found[begin:begin] = found[begin : begin + min(end - begin, 200)]
            case 5 if rng.random() < 0.3:
                del found[max(end, 64) :]
    return bytes(found)


@pytest.mark.parametrize("kind", PILLOW)
def test_damage_raises_nothing(kind):
    data, rng = stating(kind, usual(), PACKET), np.random.default_rng(3)
    known = 0
    for _ in range(MUTATIONS):
        facts = file_facts(mutated(data, rng), True)
        assert facts.format == kind
        assert facts.taken is None or facts.taken < 2**40
        if facts.place is not None:
            assert abs(facts.place[0]) <= 90
            assert abs(facts.place[1]) <= 180
        known += facts.taken == TAKEN
    assert known > MUTATIONS / 10  # damage elsewhere hides nothing


@pytest.mark.parametrize("order", ["<", ">"])
def test_damaged_exif_raises_nothing(order):
    """Every byte in turn, because most mutations of a file miss the EXIF."""
    profile = usual(order).tobytes()
    data = jpeg(exif=profile)
    start = data.index(profile)
    for at in range(start + 6, start + len(profile)):
        for value in (0, 1, 127, 255):
            file_facts(data[:at] + bytes([value]) + data[at + 1 :], True)


def test_a_file_of_a_few_bytes_raises_nothing_else():
    for kind in PILLOW:
        data = stating(kind, usual())
        for end in range(64):
            try:
                facts = file_facts(data[:end], True)
            except UnreadablePhoto:
                continue
            assert facts.taken is None


def test_directories_may_point_to_themselves():
    for pointer in (0x8769, 0x8825):
        tiff = struct.pack("<4sIHHHIII", b"II*\0", 8, 1, pointer, 4, 1, 8, 8)
        assert file_facts(jpeg(exif=b"Exif\0\0" + tiff), True).taken is None
        assert file_facts(tiff, True).taken is None


def test_counts_of_the_file_allocate_nothing():
    big = struct.pack("<4sHHQQ", b"II+\0", 8, 0, 16, 2**63) + bytes(100)
    many = struct.pack("<4sHHQQ", b"II+\0", 8, 0, 16, 90_000) + bytes(90_000 * 20 + 8)
    long = struct.pack("<4sIHHHIII", b"II*\0", 8, 1, 700, 1, 2**32 - 1, 0, 0)
    with modest():
        for tiff in (big, many, long):
            assert file_facts(tiff, True) == FileFacts("TIFF")


def test_long_xmp_is_read_up_to_a_limit():
    data = stating("TIFF", xmp=PACKET + b" " * 3_000_000)
    with modest(1_000_000):
        assert file_facts(data, True).taken == TAKEN


def test_small_chunks_that_are_large_decompressed_are_read_up_to_a_limit():
    png = stating("PNG")
    bomb = zlib.compress(bytes(100_000_000))
    texts = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)
    texts += chunk(b"zTXt", b"Raw profile type exif\0\0" + bomb)
    time_behind = chunk(b"tEXt", b"Creation Time\0" + b"2023-07-14T18:03:22")
    data = png[:33] + texts * 200 + time_behind + png[33:]
    with modest():
        assert file_facts(data, True).taken == TAKEN


def test_each_text_of_a_png_is_read_once():
    """So many of them cannot be decompressed in turn."""
    png, name = stating("PNG"), b"XML:com.adobe.xmp\0\1\0\0\0"
    first = chunk(b"iTXt", name + zlib.compress(b"nothing"))
    second = chunk(b"iTXt", name + zlib.compress(PACKET))
    assert file_facts(png[:33] + second + png[33:], True).taken == TAKEN
    assert file_facts(png[:33] + first + second + png[33:], True).taken is None
    broken = chunk(b"iTXt", name + b"x")
    assert file_facts(png[:33] + broken + second + png[33:], True).taken is None


def test_entities_are_not_expanded():
    packet = b'<!DOCTYPE x [<!ENTITY a "2001">]><x exif:DateTimeOriginal="&a;-01-01"/>'
    assert file_facts(stating("JPEG", xmp=packet), True).taken is None


@pytest.mark.parametrize("filler", [b"exif:DateTimeOriginal", b"exif:DateTimeOriginal=' ' ", b" "])
def test_xmp_full_of_names_states_nothing(filler):
    data = stating("PNG", xmp=(b"xmp:CreateDate" + filler * 300_000)[:250_000])
    with modest(8_000_000):
        assert file_facts(data, True).taken is None


def test_the_walk_over_parts_is_limited():
    """What stands behind too many parts is not read."""
    webp, photo = stating("WebP", usual()), stating("JPEG", usual())
    png = stating("PNG", usual())
    files = {
        "JPEG": photo[:2] + b"\xff\xe0\0\2" * 1_000_000 + photo[2:],
        "PNG": png[:33] + chunk(b"tEXt", b"") * 150_000 + png[33:],
        "WebP": webp[:30] + b"ABCD\0\0\0\0" * 500_000 + webp[30:],
    }
    for kind, data in files.items():
        assert file_facts(data, True) == FileFacts(kind, is_complete=True)


def test_an_item_in_many_pieces_is_read_up_to_a_limit():
    heic = stating("HEIC", usual())
    at = heic.index(b"iloc") + 4
    # the version stays; no sizes, then as many items and extents as there can be
    changed = heic[: at + 4] + b"\0\0" + b"\xff" * 40 + heic[at + 46 :]
    with modest():
        assert file_facts(changed, True).taken is None

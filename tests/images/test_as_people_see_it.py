"""Small inputs that went wrong in public bug reports of other projects; each made here by code."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from clipsearch.images import levels
from clipsearch.images.decode import decode_photo
from tests.images.scene import GREY, SCENE, SIZE, chunk, looks_like, reason
from tests.support.pictures import encoded


def test_a_bmp_whose_alpha_is_0_everywhere_is_opaque():
    pixels = np.dstack([np.asarray(SCENE)[..., ::-1], np.zeros((160, 160), np.uint8)])
    body = pixels[::-1].tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", 124, 160, 160, 1, 32, 3, len(body), 0, 0, 0, 0) + masks
    head = struct.pack("<2sIHHI", b"BM", 138 + len(body), 0, 0, 138)
    looks_like(decode_photo(head + info.ljust(124, b"\0") + body, SIZE), SCENE, within=0)
    pixels[:80, :, 3] = 255  # now it says something: the lower half is transparent
    photo = decode_photo(head + info.ljust(124, b"\0") + pixels[::-1].tobytes(), SIZE)
    assert photo.thumbnail.getpixel((80, 150)) == (255, 255, 255)


def test_an_orientation_that_only_xmp_tells_does_not_count():
    """Browsers do not turn such a picture either."""
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-'
        b'rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    wide = SCENE.crop((0, 0, 160, 90))
    for kind in ("JPEG", "WEBP"):
        looks_like(decode_photo(encoded(wide, kind, xmp=xmp, quality=95), SIZE), wide, within=3)


def test_one_grey_of_sixteen_bits_may_be_transparent():
    wide = 256 * np.asarray(GREY).astype(np.uint16) + 7
    wide[:80] = 1000
    data = encoded(Image.fromarray(wide), "PNG")
    data = data[:33] + chunk(b"tRNS", struct.pack(">H", 1000)) + data[33:]
    page = GREY.copy()
    page.paste(255, (0, 0, 160, 80))
    looks_like(decode_photo(data, SIZE), page, within=0)


def tiff(
    samples: np.ndarray, photometric: int, *more: tuple[int, int, int],
    order: Literal["<", ">"] = "<", pages: int = 1,
) -> bytes:  # fmt: skip
    """An uncompressed TIFF of one strip per plane; `samples` (planes, h, w) or (h, w)."""
    planes = samples if samples.ndim == 3 else samples[None]
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    bits, count, (height, width) = samples.dtype.itemsize * 8, len(planes), planes.shape[1:]
    raw = [plane.astype(samples.dtype.newbyteorder(order)).tobytes() for plane in planes]
    tags = [(256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * count), (259, 3, [1])]
    tags += [(262, 3, [photometric]), (277, 3, [count]), (278, 4, [height])]
    tags += [(284, 3, [2 if count > 1 else 1]), (339, 3, [kind] * count)]
    tags += [(tag, form, [value]) for tag, form, value in more]
    data = bytearray(struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 0))
    offsets = []
    for part in raw:
        offsets.append(len(data))
        data += part
    tags += [(273, 4, offsets), (279, 4, [len(part) for part in raw])]
    entries = b""
    for tag, form, values in sorted(tags):
        packed = struct.pack(f"{order}{len(values)}{'H' if form == 3 else 'I'}", *values)
        if len(packed) > 4:
            at, packed_at = len(data), struct.pack(f"{order}I", len(data))
            assert at == len(data)
            data += packed
            packed = packed_at
        entries += struct.pack(f"{order}HHI", tag, form, len(values)) + packed.ljust(4, b"\0")
    struct.pack_into(f"{order}I", data, 4, len(data))
    return bytes(data) + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def greys() -> Iterator[tuple[str, np.ndarray, int]]:
    """(what, samples, photometric): the grey scene in all kinds of numbers."""
    grey = np.asarray(GREY)
    yield "16 bits, white is zero", 65535 - 257 * grey.astype(np.uint16), 0
    yield "32 bits", 16_843_009 * grey.astype(np.uint32), 1
    yield "32 bits, white is zero", 2**32 - 1 - 16_843_009 * grey.astype(np.uint32), 0
    yield "floats", (grey / 255).astype(np.float32), 1
    yield "half floats", (grey / 255).astype(np.float16), 1
    yield "doubles", grey / 255, 1
    for name, value in (("inf", np.inf), ("minus inf", -np.inf), ("nan", np.nan), ("hot", 1e6)):
        spoilt = (grey / 255).astype(np.float32)
        spoilt[3, 5] = value
        yield f"floats, one is {name}", spoilt, 1
    for name, value in (("-9999", -9999.0), ("the least float", float(np.finfo(np.float32).min))):
        spoilt = (grey / 255).astype(np.float32)
        spoilt[:20] = value
        yield f"floats, no data is {name}", spoilt, 1


@pytest.mark.parametrize("order", ["<", ">"], ids=["II", "MM"])
@pytest.mark.parametrize(
    ("samples", "photometric"), [g[1:] for g in greys()], ids=[g[0] for g in greys()]
)
def test_a_grey_tiff_is_itself_whatever_its_numbers(samples, photometric, order):
    photo = decode_photo(tiff(samples, photometric, order=order), SIZE)
    seen = np.asarray(photo.thumbnail)[25:, :, 0].astype(int)
    assert np.abs(seen - np.asarray(GREY)[25:]).mean() < 1.5


def test_twelve_bits_are_not_black():
    grey = 16 * np.asarray(GREY).astype(np.uint16) + 8
    first, second = grey[:, ::2], grey[:, 1::2]
    packed = np.dstack([first >> 4, (first & 15) << 4 | second >> 8, second & 255])
    data = bytearray(tiff(packed.reshape(160, 240).astype(np.uint8), 1))
    at = struct.unpack_from("<I", data, 4)[0] + 2
    for entry in range(at, len(data) - 4, 12):
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag in (256, 258):
            struct.pack_into("<I", data, entry + 8, {256: 160, 258: 12}[tag])
    looks_like(decode_photo(bytes(data), SIZE), GREY, within=1)


@pytest.mark.parametrize("order", ["<", ">"], ids=["II", "MM"])
def test_planes_of_sixteen_bits_are_colours(order):
    planes = 257 * np.asarray(SCENE).astype(np.uint16).transpose(2, 0, 1)
    looks_like(decode_photo(tiff(planes, 2, order=order), SIZE), SCENE, within=0)


def test_the_first_page_may_be_a_reduced_copy():
    first = tiff(np.asarray(SCENE.resize((40, 40))).transpose(2, 0, 1), 2, (254, 4, 1))
    second = bytearray(tiff(np.asarray(SCENE).transpose(2, 0, 1), 2, (254, 4, 0)))
    # put behind the first, all its offsets grow
    data, base = bytearray(first), len(first)
    at = struct.unpack_from("<I", second, 4)[0]
    for entry in range(at + 2, len(second) - 4, 12):
        tag, form, count = struct.unpack_from("<HHI", second, entry)
        if tag == 273 or count * {3: 2, 4: 4}[form] > 4:
            moved = struct.unpack_from("<I", second, entry + 8)[0]
            if tag == 273:
                values = struct.unpack_from(f"<{count}I", second, moved)
                struct.pack_into(f"<{count}I", second, moved, *(v + base for v in values))
            struct.pack_into("<I", second, entry + 8, moved + base)
    struct.pack_into("<I", data, len(data) - 4, base + at)
    looks_like(decode_photo(bytes(data + second), SIZE), SCENE, within=0)


def test_the_first_of_several_full_pages_counts():
    others = [Image.new("RGB", (300, 300))]
    data = encoded(SCENE.copy(), "TIFF", save_all=True, append_images=others)
    looks_like(decode_photo(data, SIZE), SCENE, within=0)


def test_camera_raw_is_refused_as_such():
    mosaic = np.asarray(GREY).astype(np.uint16)
    assert "camera raw is not supported" in reason(tiff(mosaic, 32803))
    assert "camera raw is not supported" in reason(tiff(mosaic, 1, (50706, 4, 0x401)))


@pytest.mark.parametrize(
    ("compression", "name"), [(34712, "JPEG 2000"), (34925, "LZMA"), (50002, "JPEG XL"), (9, "9")]
)
def test_a_compression_that_is_not_supported_is_named(compression, name):
    data = bytearray(tiff(np.asarray(GREY), 1))
    entry = data.rindex(struct.pack("<HHI", 259, 3, 1))
    struct.pack_into("<H", data, entry + 8, compression)
    assert reason(bytes(data)).startswith(f"TIFF compression {name if name != '9' else 'number 9'}")


def test_a_tile_far_larger_than_the_picture_is_refused():
    from benchmarks.decoding.inputs import tiff_with_a_huge_tile

    assert reason(tiff_with_a_huge_tile()).startswith("tiles of 60000 x 30000 pixels")


def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded():
    from benchmarks.decoding.inputs import many_scans

    assert "scans of 7000 x 7000 pixels take too long" in reason(many_scans())


def test_a_webp_that_claims_much_is_refused_before_it_is_decoded():
    data = encoded(Image.new("RGB", (7071, 7071)), "WEBP", lossless=True, method=0, quality=0)
    assert len(data) < 100
    assert "MB to decode from WebP; at most 400 MB are allowed" in reason(data)


def test_the_range_of_values_knows_what_is_no_light():
    ramp = np.linspace(10, 20, 1000)
    assert levels.value_range(ramp, 1.0) == (10, 20)
    assert levels.value_range(np.append(ramp, [1e6, np.inf, -9999]), 1.0) == (10, 20)
    assert levels.value_range(np.append(ramp, [-5]), 1.0, no_data=-5) == (10, 20)
    assert levels.value_range(np.array([0.0, 0.9]), 1.0) == (0, 1)
    assert levels.value_range(np.array([np.nan]), 1.0) == (0, 0)

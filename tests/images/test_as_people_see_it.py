"""Small inputs that went wrong in public bug reports of other projects; each made here by code.

Each is a variant of one drawn scene, and right if thumbnail and square look like that scene."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from clipsearch.errors import UnreadablePhoto
from clipsearch.images import levels, transfer
from clipsearch.images.decode import Photo, decode_photo
from model_export.demo.scenes import draw, random_scene
from tests.images.profiles import grey_profile, swapped_profile

pillow_heif.register_heif_opener()  # for writing

SIZE = 64


def scene() -> Image.Image:
    rng = np.random.default_rng(11)
    return draw(random_scene(rng), 160, rng)


SCENE = scene()
GREY = SCENE.convert("L")


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def looks_like(photo: Photo, image: Image.Image, within: float = 2.0) -> None:
    wanted = decode_photo(encoded(image, "PNG"), SIZE)
    assert (photo.width, photo.height) == image.size
    for name in ("thumbnail", "square"):
        seen, right = (np.asarray(getattr(p, name)).astype(int) for p in (photo, wanted))
        assert np.abs(seen - right).mean() <= within, name


def reason(data: bytes) -> str:
    with pytest.raises(UnreadablePhoto) as caught:
        decode_photo(data, SIZE)
    return caught.value.reason


# --- metadata that no pixel needs ----------------------------------------------------------


def chunk(name: bytes, content: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


PNG = encoded(SCENE, "PNG")
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


# --- colour --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_profile_counts_for_what_the_encoder_sees(kind):
    red, green, blue = SCENE.split()
    options = {"quality": 95} if kind != "PNG" else {}
    data = encoded(
        Image.merge("RGB", (blue, green, red)), kind, icc_profile=swapped_profile(), **options
    )
    looks_like(decode_photo(data, SIZE), SCENE, within=6)
    swapped = decode_photo(data, SIZE, preprocessing=1).square  # its encoder saw no colours
    looks_like(
        Photo(
            square=Image.merge("RGB", swapped.split()[::-1]),
            thumbnail=decode_photo(data, SIZE).thumbnail,
            width=160,
            height=160,
        ),
        SCENE,
        within=6,
    )


def test_the_profile_of_srgb_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    looks_like(decode_photo(encoded(SCENE, "PNG", icc_profile=profile), SIZE), SCENE, within=0)


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 200, swapped_profile()[:300]])
def test_a_broken_profile_is_passed_over(profile):
    looks_like(decode_photo(encoded(SCENE, "PNG", icc_profile=profile), SIZE), SCENE, within=0)


def test_a_grey_profile_counts_with_transparency_and_with_sixteen_bits():
    linear = Image.fromarray(
        np.rint(255 * transfer.srgb_decoded(np.asarray(GREY) / 255)).astype(np.uint8)
    )
    wide = Image.fromarray(257 * np.asarray(linear).astype(np.uint16))
    opaque = Image.merge("LA", (linear, Image.new("L", linear.size, 255)))
    for image in (linear, opaque, wide):
        data = encoded(image, "PNG", icc_profile=grey_profile())
        looks_like(decode_photo(data, SIZE), GREY, within=3)


def with_gamma(image: Image.Image, gamma: float, *more: bytes) -> bytes:
    """A PNG that says how it is encoded: light is the power 1 / `gamma` of the samples."""
    light = transfer.srgb_decoded(np.asarray(image) / 255)
    data = encoded(Image.fromarray(np.rint(255 * light**gamma).astype(np.uint8)), "PNG")
    says = chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    return data[:33] + says + b"".join(more) + data[33:]


def test_the_gamma_of_a_png_counts_unless_it_is_srgbs():
    looks_like(decode_photo(with_gamma(SCENE, 0.8), SIZE), SCENE, within=3)
    data = PNG[:33] + chunk(b"gAMA", struct.pack(">I", 45455)) + PNG[33:]
    looks_like(decode_photo(data, SIZE), SCENE, within=0)
    data = PNG[:33] + chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 90_000)) + PNG[33:]
    looks_like(decode_photo(data, SIZE), SCENE, within=0)


def from_bt709(image: Image.Image, primaries: transfer.Chromaticities) -> np.ndarray:
    """Light of an sRGB picture in other primaries."""
    light = transfer.srgb_decoded(np.asarray(image) / 255)
    return light @ np.linalg.inv(transfer._to_bt709(primaries)).T


@pytest.mark.parametrize("code", [9, 12], ids=["BT.2020", "Display P3"])
def test_the_primaries_of_a_png_count(code):
    light = from_bt709(SCENE, transfer.PRIMARIES[code])
    samples = np.rint(255 * transfer.srgb_encoded(light)).astype(np.uint8)
    data = encoded(Image.fromarray(samples), "PNG")
    codes = chunk(b"cICP", bytes([code, 13, 0, 1]))
    looks_like(decode_photo(data[:33] + codes + data[33:], SIZE), SCENE, within=3)
    points = [round(v * 100_000) for point in transfer.PRIMARIES[code] for v in point]
    says = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"cHRM", struct.pack(">8I", *points))
    looks_like(decode_photo(data[:33] + says + data[33:], SIZE), SCENE, within=3)


def pq(light: np.ndarray) -> np.ndarray:
    """The inverse of ITU-R BT.2100's EOTF; 1 is 203 cd/m²."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = np.clip(light * 203 / 10_000, 0, 1) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def hlg(light: np.ndarray) -> np.ndarray:
    """The inverses of BT.2100's OOTF and OETF for a display of 1,000 cd/m²."""
    display = np.clip(light * 203 / 1000, 1e-6, 1)
    luminance = (display @ np.array([0.2627, 0.6780, 0.0593]))[..., None]
    scene_light = np.clip(display * luminance ** (1 / 1.2 - 1), 0, 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    high = a * np.log(np.maximum(12 * scene_light - b, 1e-9)) + c
    return np.where(scene_light <= 1 / 12, np.sqrt(3 * scene_light), high)


@pytest.mark.parametrize(("curve", "code"), [(pq, 16), (hlg, 18)], ids=["PQ", "HLG"])
def test_hdr_is_tone_mapped(curve, code):
    samples = np.rint(255 * curve(from_bt709(SCENE, transfer.PRIMARIES[9]).clip(0))).astype(
        np.uint8
    )
    data = encoded(Image.fromarray(samples), "PNG")
    codes = chunk(b"cICP", bytes([9, code, 0, 1]))
    looks_like(decode_photo(data[:33] + codes + data[33:], SIZE), SCENE, within=4)


def test_hdr_in_heic_is_known_by_its_codes():
    samples = np.rint(65535 * pq(from_bt709(SCENE, transfer.PRIMARIES[9]).clip(0)))
    file = pillow_heif.from_bytes("RGB;16", SCENE.size, samples.astype(np.uint16).tobytes())
    out = io.BytesIO()
    file.save(
        out, quality=95, bit_depth=10, chroma=444, save_nclx_profile=True,
        color_primaries=9, transfer_characteristics=16, matrix_coefficients=9, full_range_flag=1,
    )  # fmt: skip
    looks_like(decode_photo(out.getvalue(), SIZE), SCENE, within=6)


def test_lights_brighter_than_white_keep_differences():
    levels_of_light = np.array([0.1, 0.4, 1.0, 2.0, 4.0])
    mapped = transfer.tone_mapped(np.repeat(levels_of_light[:, None], 3, axis=1), 4.0)[:, 0]
    assert (np.diff(mapped) > 0).all()
    assert mapped[:2] == pytest.approx(levels_of_light[:2])
    assert mapped[-1] == pytest.approx(1)


# --- wrong without a word ------------------------------------------------------------------


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
    samples: np.ndarray, photometric: int, *more: tuple[int, int, int], order: str = "<",
    pages: int = 1,
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
    out = io.BytesIO()
    SCENE.copy().save(out, "TIFF", save_all=True, append_images=[Image.new("RGB", (300, 300))])
    looks_like(decode_photo(out.getvalue(), SIZE), SCENE, within=0)


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
    from tools.bench_decoding.inputs import tiff_with_a_huge_tile

    assert reason(tiff_with_a_huge_tile()).startswith("tiles of 60000 x 30000 pixels")


def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded():
    from tools.bench_decoding.inputs import many_scans

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

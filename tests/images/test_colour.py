"""The encoder sees the colours that the thumbnail shows, and both are what browsers show."""

from __future__ import annotations

import io
import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from clipsearch.images import transfer
from clipsearch.images.decode import Photo, decode_photo
from tests.images.profiles import grey_profile, swapped_profile
from tests.images.scene import GREY, PNG, SCENE, SIZE, chunk, looks_like
from tests.support.pictures import encoded


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

"""Converts colours to sRGB, as browsers do.

The first of these counts: an ICC profile, the code points of ITU-T H.273 (`cICP` in PNG, `nclx` in
HEIC and AVIF), PNG's gamma. Pictures without any of them are sRGB.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipsearch.images import transfer

if TYPE_CHECKING:
    from PIL import Image, ImageCms

Convert = Callable[["Image.Image"], "Image.Image"]  # L, RGB or CMYK -> RGB

# Levels of 255. A profile that changes no colour by more counts as sRGB: no conversion.
SAME_COLOUR = 2


@dataclass(frozen=True, slots=True)
class Meaning:
    """The colour space of a picture.

    `icc`: a profile. `primaries`: chromaticities, None for sRGB's. `curve`: a code point of H.273,
    2 if unspecified. `gamma`: the exponent from samples to light, None if unspecified.
    """

    icc: bytes | None = None
    primaries: transfer.Chromaticities | None = None
    curve: int = 2
    gamma: float | None = None

    @classmethod
    def of_codes(cls, primaries: int, curve: int) -> Meaning:
        """Build from code points of H.273. Unknown code points count as sRGB's."""
        return cls(primaries=transfer.PRIMARIES.get(primaries), curve=curve)

    @property
    def is_hdr(self) -> bool:
        return self.icc is None and self.curve in transfer.HDR


SRGB = Meaning()


def conversion(mode: str, meaning: Meaning, sample: Callable[[], Iterable[Image.Image]]) -> Convert:
    """Return the conversion of pictures of `mode` (L, RGB or CMYK) to sRGB.

    `sample()`: some rows of the picture. They give the peak brightness of an HDR picture.
    """
    if meaning.icc:
        found = _by_profile(meaning.icc, mode)
        return found or _plainly
    if mode == "CMYK":
        return _plainly
    if meaning.is_hdr:
        return _by_table(transfer.hdr_table(meaning.curve, meaning.primaries, sample()))
    steps: list[Convert] = [_plainly]
    curve = transfer.to_srgb_curve(meaning.curve, meaning.gamma)
    if curve is not None:
        steps.append(lambda image: image.point(curve * 3))
    table = transfer.primaries_table(meaning.primaries)
    if table is not None:
        steps.append(_by_table(table))
    return functools.partial(_in_turn, steps)


def _in_turn(steps: list[Convert], image: Image.Image) -> Image.Image:
    for step in steps:
        image = step(image)
    return image


def _plainly(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _by_table(table: Any) -> Convert:
    """`table` (n, n, n, 3): indexed by blue, green, red; gives RGB in [0, 1]."""
    from PIL import ImageFilter

    lookup = ImageFilter.Color3DLUT(len(table), table.reshape(-1), _copy_table=False)
    return lambda image: _plainly(image).filter(lookup)


@functools.lru_cache(8)
def _by_profile(icc: bytes, mode: str) -> Convert | None:
    """Return None for a profile that is damaged, does not fit `mode`, or equals sRGB."""
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        takes = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}.get(space)
        if takes is None or (takes != mode and (takes, mode) != ("RGB", "L")):
            return None
        target = ImageCms.createProfile("sRGB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC  # measured: docs/decoding.md
        transform = ImageCms.buildTransform(profile, target, takes, "RGB", intent)
    except (ImageCms.PyCMSError, OSError):
        return None
    if takes == "RGB" and _changes_nothing(transform):
        return None

    def convert(image: Image.Image) -> Image.Image:
        # returns a copy; threads share the transform, but not the picture
        given = image if image.mode == takes else image.convert(takes)
        converted = ImageCms.applyTransform(given, transform)
        assert converted is not None
        return converted

    return convert


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    from PIL import Image, ImageChops, ImageCms

    levels = range(0, 256, 51)
    colours = bytes(v for r in levels for g in levels for b in levels for v in (r, g, b))
    probe = Image.frombytes("RGB", (36, 6), colours)
    seen = ImageCms.applyTransform(probe, transform)
    assert seen is not None
    extrema: Any = ImageChops.difference(probe, seen).getextrema()
    return bool(max(high for _, high in extrema) <= SAME_COLOUR)

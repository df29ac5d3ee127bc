"""What the numbers of a picture mean -> sRGB, as browsers show it.

A profile (ICC) counts, or else the code points of ITU-T H.273 (`cICP` in PNG, `nclx` in HEIC and
AVIF), or else PNG's gamma. Pictures that say nothing are sRGB.
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

# A profile that moves no colour by more is sRGB: then pixels stay as they are.
SAME_COLOUR = 2


@dataclass(frozen=True, slots=True)
class Meaning:
    """`icc`: a profile. `primaries`: chromaticities, None for sRGB's. `curve`: a code point of
    H.273, 2 if nobody says. `gamma`: an exponent from samples to light, None if nobody says."""

    icc: bytes | None = None
    primaries: transfer.Chromaticities | None = None
    curve: int = 2
    gamma: float | None = None

    @classmethod
    def of_codes(cls, primaries: int, curve: int) -> Meaning:
        """By the code points of H.273. Those that are not known count as sRGB's."""
        return cls(primaries=transfer.PRIMARIES.get(primaries), curve=curve)

    @property
    def is_hdr(self) -> bool:
        return self.icc is None and self.curve in transfer.HDR


SRGB = Meaning()


def conversion(mode: str, meaning: Meaning, sample: Callable[[], Iterable[Image.Image]]) -> Convert:
    """How pictures of `mode` (L, RGB or CMYK) become sRGB. `sample()`: some of its rows, from
    which the brightest light of an HDR picture is taken."""
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
    """`table` (n, n, n, 3): blue, green, red -> RGB, in [0, 1]."""
    from PIL import ImageFilter

    lookup = ImageFilter.Color3DLUT(len(table), table.reshape(-1), _copy_table=False)
    return lambda image: _plainly(image).filter(lookup)


@functools.lru_cache(8)
def _by_profile(icc: bytes, mode: str) -> Convert | None:
    """None for a profile that is damaged, is made for other pictures, or is sRGB's."""
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        takes = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}.get(space)
        if takes is None or (takes != mode and (takes, mode) != ("RGB", "L")):
            return None
        target = ImageCms.createProfile("sRGB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC  # as measured: docs/decoding.md
        transform = ImageCms.buildTransform(profile, target, takes, "RGB", intent)
    except (ImageCms.PyCMSError, OSError):
        return None
    if takes == "RGB" and _changes_nothing(transform):
        return None

    def convert(image: Image.Image) -> Image.Image:
        # a copy: the transform is another thread's, too, but not the picture
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

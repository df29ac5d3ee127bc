"""Texts and pictures with a fixed seed, for comparing the encoder with its reference.

Drawn here, so that nothing is downloaded and a failure can be repeated. Knows no torch: the
golden tests of the encoder use the same ones.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image, ImageFilter

# Awkward on purpose: odd remainders when cropped (3 modulo 4 too), one pixel wide, smaller and
# larger than any model's input, exact multiples.
SIZES = (
    *((37, 53), (53, 37), (64, 64), (65, 64), (1, 7), (7, 1), (1, 97), (3, 2), (224, 224)),
    *((225, 227), (231, 230), (448, 336), (500, 333), (333, 500), (640, 427), (71, 300)),
)

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")

WORDS = (
    "a the two red blue photograph of with dog car umbrella sunset mountain eating playing "
    "very small street's café naïve straße 猫 写真 собака море صورة कुत्ता 🐱 🎈🎉 50% (left) #1 x²"
)

TEXTS = (
    "",
    " ",
    "a",
    "a photo of a cat",
    "A Photo  of\na\tCAT!!",
    "ein rotes Auto auf der Straße",
    "un château près de la forêt à l'aube",
    "赤い車の写真",
    "красная машина и дом",
    "سيارة حمراء",
    "लाल कार",
    "🐱🎈 party 🎉",
    "it's 12,345.67 €? no: <b>100%</b> & more…",
    "supercalifragilisticexpialidocious" * 3,
    "e\u0301 and \u00e9",  # the same letter, composed and not
)


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with a name that says what is special about it."""

    name: str
    image: Image.Image


def texts(seed: int = 0, count: int = 24) -> list[str]:
    """TEXTS, and `count` random ones of 1 to 100 words: shorter and longer than any context."""
    rng = np.random.default_rng(seed)
    lengths = np.linspace(1, 100, count).astype(int)
    return [*TEXTS, *(" ".join(rng.choice(WORDS.split(), length)) for length in lengths)]


def pictures() -> list[Sample]:
    """Every size in RGB, and every mode at two sizes; palettes with transparency too."""
    rng = np.random.default_rng(0)
    samples = [
        Sample(f"RGB {width}x{height}", texture(rng, width, height)) for width, height in SIZES
    ]
    for mode in MODES:
        for width, height in ((75, 54), (120, 203)):
            samples.append(Sample(f"{mode} {width}x{height}", in_mode(rng, mode, width, height)))
    for mode in ("P", "L", "RGB"):
        image = in_mode(rng, mode, 90, 61)
        image.info["transparency"] = {"P": 3, "L": 128, "RGB": image.getpixel((0, 0))}[mode]
        samples.append(Sample(f"{mode} 90x61 with a transparent colour", image))
    return samples


def texture(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Like a photo to an encoder: large soft shapes, finer ones over them, some grain."""
    total = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((3, 0.6), (9, 0.3), (40, 0.15)):
        small = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        total += weight * np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    total += rng.normal(0, 4, total.shape)
    return Image.fromarray(total.clip(0, 255).astype(np.uint8))


def in_mode(rng: np.random.Generator, mode: str, width: int, height: int) -> Image.Image:
    """A texture in one of MODES, its transparency (if the mode has one) a soft shape."""
    image = texture(rng, width, height)
    if mode == "I;16":  # every one of the 65,536 levels may occur
        wide = np.asarray(image.convert("L")).astype(np.uint16) * 257
        return Image.fromarray(wide ^ rng.integers(0, 256, wide.shape, np.uint16))
    if mode == "P":
        return image.quantize(64)
    if mode in ("LA", "RGBA"):
        image = image.convert(mode)
        image.putalpha(texture(rng, width, height).convert("L"))
        return image
    return image.convert(mode)


def photo(rng: np.random.Generator, width: int, height: int, quality: int = 90) -> bytes:
    """A large JPEG with the spectrum of a photo: soft shapes with sharp edges and fine detail."""
    image = texture(rng, width, height)
    edges = texture(rng, width, height).convert("L").point(lambda level: 255 * (level > 118))
    image.paste(texture(rng, width, height), mask=edges.filter(ImageFilter.GaussianBlur(0.7)))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def spread(items: list[Item], count: int | None) -> list[Item]:
    """`count` of the items, evenly spread; all of them for None, or if there are fewer."""
    if count is None or count >= len(items):
        return items
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, count)]

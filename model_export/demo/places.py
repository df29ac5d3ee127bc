"""Backgrounds: a sky, a ground, and details that make each place easy to recognise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PIL import ImageDraw

if TYPE_CHECKING:
    import numpy as np

RGB = tuple[int, int, int]
Painter = Callable[[ImageDraw.ImageDraw, int, "np.random.Generator"], None]


def _gradient(d: ImageDraw.ImageDraw, side: int, top: float, bottom: float, a: RGB, b: RGB) -> None:
    """Horizontal bands from colour `a` at `top` to `b` at `bottom`, both in units of the side."""
    bands = 24
    height = (bottom - top) * side / bands
    for i in range(bands):
        t = i / (bands - 1)
        colour = tuple(round(p + (q - p) * t) for p, q in zip(a, b, strict=True))
        y = top * side + i * height
        d.rectangle((0, round(y), side, round(y + height)), fill=colour)


def _disc(d: ImageDraw.ImageDraw, side: int, x: float, y: float, r: float, fill: RGB) -> None:
    d.ellipse(((x - r) * side, (y - r) * side, (x + r) * side, (y + r) * side), fill=fill)


def _hills(
    d: ImageDraw.ImageDraw, side: int, rng: np.random.Generator, base: float, fill: RGB
) -> None:
    """Two or three low, wide ellipses whose tops make a rolling horizon near `base`."""
    for x in rng.uniform(0, 1, 3).tolist():
        w, h = 0.55, 0.12
        box = ((x - w) * side, (base - h / 2) * side, (x + w) * side, (base + h) * side)
        d.ellipse(box, fill=fill)


def _horizon(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.46, 0.58))


def paint_day(d: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    y = _horizon(rng)
    _gradient(d, side, 0, y, (120, 190, 245), (205, 232, 250))
    _hills(d, side, rng, y, (142, 204, 112))
    _gradient(d, side, y, 1, (140, 202, 108), (96, 170, 78))
    x = float(rng.uniform(0.1, 0.9))
    _disc(d, side, x, 0.07, 0.07, (255, 240, 150))


def paint_night(d: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    y = _horizon(rng)
    _gradient(d, side, 0, y, (10, 14, 44), (30, 38, 84))
    for sx, sy in rng.uniform(0, 1, (26, 2)).tolist():
        _disc(d, side, sx, sy * y, 0.005, (235, 235, 210))
    _hills(d, side, rng, y, (20, 42, 52))
    _gradient(d, side, y, 1, (22, 44, 54), (12, 26, 34))
    x = float(rng.uniform(0.1, 0.9))
    _disc(d, side, x, 0.08, 0.06, (240, 238, 212))
    _disc(d, side, x + 0.028, 0.07, 0.052, (16, 20, 54))


def paint_sunset(d: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    y = _horizon(rng)
    _gradient(d, side, 0, y, (112, 60, 130), (255, 150, 84))
    x = float(rng.uniform(0.2, 0.8))
    _disc(d, side, x, y, 0.16, (255, 206, 110))
    _gradient(d, side, y, 1, (122, 66, 84), (70, 40, 66))


def paint_snow(d: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    y = _horizon(rng)
    _gradient(d, side, 0, y, (168, 182, 198), (206, 216, 226))
    _hills(d, side, rng, y, (232, 238, 244))
    _gradient(d, side, y, 1, (234, 240, 246), (214, 224, 236))
    for x, v in rng.uniform(0, 1, (34, 2)).tolist():
        _disc(d, side, x, v, 0.009, (255, 255, 255))


def paint_sea(d: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    y = float(rng.uniform(0.2, 0.3))
    _gradient(d, side, 0, y, (170, 218, 240), (214, 238, 244))
    _gradient(d, side, y, 1, (58, 168, 186), (16, 96, 128))
    step = 0.1
    for row in range(int((1 - y) / step)):
        base = (y + 0.05 + row * step) * side
        shift = float(rng.uniform(0, 0.16))
        for k in range(-1, 7):
            x0 = (k * 0.16 + shift) * side
            box = (x0, base, x0 + 0.16 * side, base + 0.05 * side)
            d.arc(box, 20, 160, fill=(150, 216, 224), width=max(1, side // 110))


def paint_desert(d: ImageDraw.ImageDraw, side: int, rng: np.random.Generator) -> None:
    y = _horizon(rng)
    _gradient(d, side, 0, y, (236, 206, 150), (250, 232, 190))
    _disc(d, side, float(rng.uniform(0.1, 0.9)), 0.08, 0.07, (255, 246, 214))
    for depth, fill in ((0.0, (222, 176, 106)), (0.14, (208, 156, 86)), (0.3, (192, 138, 70))):
        _hills(d, side, rng, y + depth, fill)
        d.rectangle((0, round((y + depth) * side), side, side), fill=fill)


PLACE_PAINTERS: dict[str, Painter] = {
    "day": paint_day,
    "night": paint_night,
    "sunset": paint_sunset,
    "snow": paint_snow,
    "sea": paint_sea,
    "desert": paint_desert,
}

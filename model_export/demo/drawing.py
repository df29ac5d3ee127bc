"""Draws things in places with Pillow, at twice the size and then halved to smooth the edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from model_export.demo.places import PLACE_PAINTERS
from model_export.demo.things import THING_PAINTERS, Pen

if TYPE_CHECKING:
    import numpy as np

OVERSAMPLING = 2
COLUMNS, ROWS = 3, 2

RGB = {
    "red": (214, 38, 42),
    "orange": (246, 134, 22),
    "yellow": (250, 218, 36),
    "green": (38, 158, 66),
    "blue": (38, 92, 214),
    "purple": (134, 52, 186),
    "pink": (252, 142, 190),
    "white": (250, 250, 250),
    "black": (34, 34, 38),
}
COLOURS = tuple(RGB)
THINGS = tuple(THING_PAINTERS)
PLACES = tuple(PLACE_PAINTERS)


@dataclass(frozen=True, slots=True)
class Placed:
    """A thing at (x, y), the centre of its box, `radius` wide each way; in units of the picture."""

    thing: str
    colour: str
    x: float
    y: float
    radius: float


def lay_out(things: list[tuple[str, str]], rng: np.random.Generator) -> list[Placed]:
    """Give each (thing, colour), six at most, a cell of its own in a jittered 3 x 2 grid."""
    cells = rng.choice(COLUMNS * ROWS, size=len(things), replace=False).tolist()
    jitter = (rng.uniform(-1, 1, size=(len(things), 2)) * (0.022, 0.05)).tolist()
    radii = rng.uniform(0.135, 0.16, size=len(things)).tolist()
    return [
        Placed(
            thing,
            colour,
            x=(cell % COLUMNS + 0.5) / COLUMNS + dx,
            y=0.30 + 0.42 * (cell // COLUMNS) + dy,
            radius=radius,
        )
        for (thing, colour), cell, (dx, dy), radius in zip(
            things, cells, jitter, radii, strict=True
        )
    ]


def _shade(rgb: tuple[int, int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    r, g, b = (
        max(0, min(255, int(c + d))) for c, d in zip(rgb, rng.uniform(-9, 9, 3), strict=True)
    )
    return r, g, b


def paint(layout: list[Placed], place: str, size: int, rng: np.random.Generator) -> Image.Image:
    """A square RGB picture of `size` pixels with the things of `layout` at `place`."""
    side = size * OVERSAMPLING
    picture = Image.new("RGB", (side, side))
    canvas = ImageDraw.Draw(picture)
    PLACE_PAINTERS[place](canvas, side, rng)
    outline = (226, 230, 240) if place == "night" else (44, 36, 40)
    for t in layout:
        colour = _shade(RGB[t.colour], rng)
        pen = Pen(canvas, t.x * side, t.y * side, t.radius * side, colour, outline)
        THING_PAINTERS[t.thing](pen)
    return picture.reduce(OVERSAMPLING)

"""The twelve things, each drawn in a box from (-1, -1), upper left, to (1, 1) with a `Pen`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PIL import ImageDraw

RGB = tuple[int, int, int]
Points = Sequence[tuple[float, float]]

WINDOW: RGB = (186, 222, 238)
CREAM: RGB = (246, 226, 190)
BROWN: RGB = (122, 78, 44)
LEAF: RGB = (64, 140, 60)


class Pen:
    """Draws in the box of one thing, in its colour, with a contrasting outline."""

    def __init__(
        self, d: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: RGB, outline: RGB
    ) -> None:
        self._d, self._x, self._y, self._r = d, x, y, radius
        self.colour, self.outline = colour, outline
        self._width = max(1, round(radius / 13))

    @property
    def dark(self) -> RGB:
        """A darker shade for details; of black a lighter one, so they are visible."""
        r, g, b = self.colour
        if max(self.colour) < 60:
            return r + 50, g + 50, b + 50
        return round(r * 0.72), round(g * 0.72), round(b * 0.72)

    def _at(self, points: Points) -> list[tuple[float, float]]:
        return [(self._x + px * self._r, self._y + py * self._r) for px, py in points]

    def polygon(self, points: Points, fill: RGB | None = None) -> None:
        place = self._at(points)
        self._d.polygon(place, fill=fill or self.colour)
        self._d.line([*place, place[0]], fill=self.outline, width=self._width, joint="curve")

    def rectangle(self, box: tuple[float, float, float, float], fill: RGB | None = None) -> None:
        x0, y0, x1, y1 = box
        self.polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: RGB | None = None) -> None:
        box = self._at(((x - rx, y - ry), (x + rx, y + ry)))
        self._d.ellipse(box, fill=fill or self.colour, outline=self.outline, width=self._width)

    def pie(self, x: float, y: float, rx: float, ry: float, start: float, end: float) -> None:
        box = self._at(((x - rx, y - ry), (x + rx, y + ry)))
        self._d.pieslice(box, start, end, fill=self.colour, outline=self.outline, width=self._width)

    def dot(self, x: float, y: float, r: float, fill: RGB) -> None:
        self._d.ellipse(self._at(((x - r, y - r), (x + r, y + r))), fill=fill)

    def line(self, points: Points, fill: RGB | None = None, width: float = 1.0) -> None:
        stroke = max(1, round(self._width * width))
        self._d.line(self._at(points), fill=fill or self.outline, width=stroke, joint="curve")


def paint_car(p: Pen) -> None:
    p.polygon(((-0.55, -0.05), (-0.35, -0.52), (0.38, -0.52), (0.62, -0.05)))
    p.polygon(((-0.40, -0.08), (-0.27, -0.40), (0.0, -0.40), (0.0, -0.08)), WINDOW)
    p.polygon(((0.08, -0.08), (0.08, -0.40), (0.32, -0.40), (0.46, -0.08)), WINDOW)
    p.polygon(
        ((-0.98, 0.0), (-0.86, -0.1), (0.86, -0.1), (0.98, 0.04), (0.98, 0.38), (-0.98, 0.38))
    )
    for x in (-0.55, 0.55):
        p.ellipse(x, 0.40, 0.25, 0.25, (52, 52, 56))
        p.dot(x, 0.40, 0.11, (196, 196, 200))


def paint_house(p: Pen) -> None:
    p.rectangle((-0.70, -0.15, 0.70, 0.90))
    p.polygon(((-0.95, -0.12), (0.0, -0.95), (0.95, -0.12)), p.dark)
    p.rectangle((-0.14, 0.35, 0.18, 0.90), BROWN)
    for x in (-0.42, 0.46):
        p.rectangle((x - 0.14, 0.08, x + 0.14, 0.34), WINDOW)


def paint_tree(p: Pen) -> None:
    p.rectangle((-0.14, 0.25, 0.14, 0.95), BROWN)
    for x, y, r in ((-0.42, -0.02, 0.42), (0.42, -0.02, 0.42), (0.0, -0.46, 0.48)):
        p.ellipse(x, y, r, r)
    for x, y, r in ((-0.36, 0.0, 0.34), (0.36, 0.0, 0.34), (0.0, -0.28, 0.40)):
        p.dot(x, y, r, p.colour)


def paint_boat(p: Pen) -> None:
    p.line(((0.0, 0.35), (0.0, -0.95)), BROWN, 2)
    p.polygon(((0.08, -0.90), (0.08, 0.18), (0.80, 0.18)), CREAM)
    p.polygon(((-0.08, -0.70), (-0.08, 0.18), (-0.62, 0.18)), CREAM)
    p.polygon(((-0.98, 0.32), (0.98, 0.32), (0.62, 0.82), (-0.62, 0.82)))


def paint_balloon(p: Pen) -> None:
    p.line(((0.0, 0.30), (0.10, 0.52), (-0.08, 0.74), (0.02, 0.98)), width=1.2)
    p.polygon(((-0.13, 0.44), (0.13, 0.44), (0.0, 0.24)))
    p.ellipse(0.0, -0.32, 0.56, 0.64)
    p.dot(-0.20, -0.55, 0.11, (255, 255, 255))


def paint_fish(p: Pen) -> None:
    p.polygon(((0.40, 0.0), (0.98, -0.48), (0.84, 0.0), (0.98, 0.48)), p.dark)
    p.polygon(((-0.2, -0.3), (0.22, -0.72), (0.3, -0.2)), p.dark)
    p.ellipse(-0.22, 0.0, 0.74, 0.46)
    p.line(((-0.36, -0.34), (-0.24, 0.0), (-0.36, 0.34)), p.dark, 1.5)
    p.dot(-0.62, -0.10, 0.13, (255, 255, 255))
    p.dot(-0.64, -0.10, 0.06, (20, 20, 20))


def paint_flower(p: Pen) -> None:
    p.line(((0.0, 0.0), (0.0, 0.98)), LEAF, 2.6)
    p.ellipse(0.30, 0.68, 0.26, 0.11, LEAF)
    for k in range(6):
        a = math.pi * k / 3
        p.ellipse(0.40 * math.cos(a), -0.32 + 0.40 * math.sin(a), 0.26, 0.26)
    p.ellipse(0.0, -0.32, 0.23, 0.23, (242, 190, 60))


def paint_star(p: Pen) -> None:
    points = []
    for k in range(10):
        r, a = (0.98 if k % 2 == 0 else 0.42), math.pi * (k / 5 - 0.5)
        points.append((r * math.cos(a), r * math.sin(a) + 0.06))
    p.polygon(points)


def paint_cat(p: Pen) -> None:
    p.line(((0.50, 0.78), (0.84, 0.70), (0.86, 0.24)), p.outline, 5)
    p.line(((0.50, 0.78), (0.84, 0.70), (0.86, 0.26)), p.colour, 3)
    p.ellipse(0.06, 0.52, 0.50, 0.44)
    for x in (-1.0, 1.0):
        p.polygon(((x * 0.50 - 0.05, -0.20), (x * 0.46 - 0.05, -0.96), (x * 0.08 - 0.05, -0.50)))
    p.ellipse(-0.05, -0.20, 0.52, 0.42)
    for x in (-0.25, 0.15):
        p.dot(x, -0.24, 0.11, (240, 240, 210))
        p.dot(x, -0.24, 0.06, (20, 20, 20))
    p.polygon(((-0.12, -0.07), (0.02, -0.07), (-0.05, 0.02)), (232, 130, 140))


def paint_mushroom(p: Pen) -> None:
    p.polygon(((-0.22, -0.10), (0.22, -0.10), (0.32, 0.90), (-0.32, 0.90)), CREAM)
    p.pie(0.0, 0.05, 0.92, 0.92, 180, 360)
    spot = (64, 64, 70) if min(p.colour) > 225 else (255, 250, 240)
    for x, y, r in ((-0.48, -0.26, 0.12), (0.02, -0.52, 0.15), (0.50, -0.24, 0.12)):
        p.dot(x, y, r, spot)


def paint_umbrella(p: Pen) -> None:
    p.line(((0.0, -0.2), (0.0, 0.76), (0.12, 0.90), (0.26, 0.80)), BROWN, 2.4)
    p.line(((0.0, -0.95), (0.0, -0.75)), BROWN, 2.4)
    p.pie(0.0, 0.10, 0.96, 0.92, 180, 360)
    for x in (-0.32, 0.32):
        p.line(((0.0, -0.80), (x, 0.08)), p.dark, 1.5)


def paint_heart(p: Pen) -> None:
    points = []
    for k in range(28):
        t = 2 * math.pi * k / 28
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((x / 17.5, -y / 16.5))
    p.polygon(points)


THING_PAINTERS: dict[str, Callable[[Pen], None]] = {
    "car": paint_car,
    "house": paint_house,
    "tree": paint_tree,
    "boat": paint_boat,
    "balloon": paint_balloon,
    "fish": paint_fish,
    "flower": paint_flower,
    "star": paint_star,
    "cat": paint_cat,
    "mushroom": paint_mushroom,
    "umbrella": paint_umbrella,
    "heart": paint_heart,
}

"""Recall over k as an inline SVG. The style sheet of the page has its colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from cli.evaluate.measure import CURVE, KS
from cli.evaluate.report import WAYS

WIDTH, HEIGHT = 640, 380
LEFT, TOP, RIGHT, BOTTOM = 48, 16, 16, 40  # margins around the axes

Points = Sequence[tuple[int, float]]


def plot(figures: dict[str, Any]) -> str:
    curves = figures["curves"]
    parts = [*_axes()]
    for each in figures["published"]:
        for way in ("text_to_image", "image_to_text"):
            points = list(zip(KS, each[way], strict=True))
            parts.append(_line(points, f"published {way}", each["label"]))
    for way in reversed(WAYS):  # search on top, as it often covers exact search
        parts.append(_line(list(zip(CURVE, curves[way], strict=True)), way, WAYS[way]))
    at_ten = ", ".join(f"{label} {curves[way][-1]:.3f}" for way, label in WAYS.items())
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="plot-title">',
            f'<title id="plot-title">Recall over k. R@{CURVE[-1]}: {escape(at_ten)}</title>',
            *parts,
            "</svg>",
        ]
    )


def _axes() -> Iterator[str]:
    for tenth in range(0, 11, 2):
        y = _y(tenth / 10)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tenth / 10:.1f}</text>'
    for k in CURVE:
        yield f'<text x="{_x(k):.1f}" y="{HEIGHT - 22}" text-anchor="middle">{k}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">k: first results</text>'


def _line(points: Points, classes: str, label: str) -> str:
    """A curve. `label` is its tooltip."""
    places = [(f"{_x(k):.1f}", f"{_y(value):.1f}") for k, value in points]
    joined = " ".join(f"{x},{y}" for x, y in places)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3.5"/>' for x, y in places)
    shown = f'<title>{escape(label)}</title><polyline points="{joined}"/>{dots}'
    return f'<g class="{classes}">{shown}</g>'


def _x(k: int) -> float:
    return LEFT + 12 + (k - 1) / (CURVE[-1] - 1) * (WIDTH - LEFT - RIGHT - 24)


def _y(value: float) -> float:
    return TOP + (1 - value) * (HEIGHT - TOP - BOTTOM)

"""A log-log plot as SVG, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 60, 190, 30, 50
# Told apart without colour vision, and at 3:1 on white and on #0d1117.
COLOURS = ("#2f81c7", "#d1571f", "#2a9461", "#a8639c", "#8f7a1e", "#d64550", "#6e7f91")
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #57606a }
.grid { stroke: #d0d7de }
@media (prefers-color-scheme: dark) { text { fill: #9da7b1 } .grid { stroke: #30363d } }
"""


def plot(curves: Mapping[str, Sequence[tuple[float, float]]], said: Mapping[str, str]) -> str:
    """Each curve as a multiple of its first value. `said`: the words at the end of each curve."""
    relative = {
        name: [(x, max(y, 1e-9) / max(points[0][1], 1e-9)) for x, y in points]
        for name, points in curves.items()
    }
    every = [point for points in relative.values() for point in points]
    xs, ys = ([math.log10(value) for value in values] for values in zip(*every, strict=True))
    left, right = math.floor(min(xs)), math.ceil(max(xs))
    low, high = math.floor(min(ys) + 0.01), max(1, math.ceil(max(ys)))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - left) / (right - left)
        up = (math.log10(y) - low) / (high - low)
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return round(LEFT + across * width, 1), round(HEIGHT - BOTTOM - up * height, 1)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-labelledby="title">',
        '<title id="title">Cost by number of photos, as a multiple of the cost at the smallest'
        " number</title>",
        f"<style>{STYLE}</style>",
    ]
    for power in range(left, right + 1):
        x, bottom = place(10**power, 10**low)
        lines.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>')
        lines.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{10**power:,}</text>')
    for power in range(low, high + 1):
        x, y = place(10**left, 10.0**power)
        end = WIDTH - RIGHT
        lines.append(f'<line class="grid" x1="{x}" x2="{end}" y1="{y}" y2="{y}"/>')
        lines.append(f'<text x="{x - 8}" y="{y + 4}" text-anchor="end">{10.0**power:g} x</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    lines.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">photos</text>')
    labels = _apart({name: place(*points[-1])[1] for name, points in relative.items()})
    for colour, (name, points) in zip(COLOURS, relative.items(), strict=False):
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
        lines.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        )
        x, y = place(*points[-1])
        lines.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>')
        label = f'x="{x + 12}" y="{labels[name] + 4}"'
        lines.append(f'<text {label} style="fill:{colour}">{escape(said[name])}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _apart(heights: Mapping[str, float]) -> dict[str, float]:
    """The heights of labels, moved so that none covers another."""
    found: dict[str, float] = {}
    last = -math.inf
    for name, height in sorted(heights.items(), key=lambda one: one[1]):
        last = found[name] = max(height, last + 17)
    over = max(0.0, last - (HEIGHT - BOTTOM))
    return {name: height - over for name, height in found.items()}

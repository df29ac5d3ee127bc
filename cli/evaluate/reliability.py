"""The reliability plot as an inline SVG: of photos with a confidence, how many are right."""

from __future__ import annotations

from typing import Any

WIDTH, HEIGHT, MARGIN = 640, 380, 48
LARGEST = 14  # radius in pixels of the bin with the most photos


def reliability_plot(calibration: dict[str, Any]) -> str:
    bins, error = calibration["bins"], calibration["error"]
    most = max((each["count"] for each in bins), default=1)
    points = [
        f'<circle cx="{_x(b["confidence"]):.1f}" cy="{_y(b["right"]):.1f}" '
        f'r="{max(3.0, LARGEST * (b["count"] / most) ** 0.5):.1f}">'
        f"<title>confidence {b['confidence']:.2f}: {b['right']:.2f} of {b['count']:,} right</title>"
        "</circle>"
        for b in bins
    ]
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="reliability-title">',
            '<title id="reliability-title">Share of right photos over their confidence. '
            f"Expected calibration error: {error:.3f}</title>",
            *(line for tenth in range(0, 11, 2) for line in _axis(tenth / 10)),
            f'<path class="grid" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>',
            f'<text x="{WIDTH / 2}" y="{HEIGHT - 4}" text-anchor="middle">confidence</text>',
            '<g class="text_to_image">',
            *points,
            "</g></svg>",
        ]
    )


def _axis(value: float) -> list[str]:
    x, y = _x(value), _y(value)
    return [
        f'<path class="grid" d="M{MARGIN} {y:.1f}H{WIDTH - MARGIN}"/>',
        f'<text x="{MARGIN - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>',
        f'<text x="{x:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{value:.1f}</text>',
    ]


def _x(value: float) -> float:
    return MARGIN + value * (WIDTH - 2 * MARGIN)


def _y(value: float) -> float:
    return 16 + (1 - value) * (HEIGHT - 16 - MARGIN)

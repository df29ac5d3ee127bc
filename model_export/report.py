"""The report of an export as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TOWERS = ("text", "image")
LABELS = {"text_to_image": "text to image", "image_to_image": "image to image"}


def table(report: Mapping[str, Any]) -> str:
    """What verify() found, a line each."""
    towers = [report[name] for name in TOWERS]
    lines = [_row("", "text", "image")]
    lines += [
        _row("precision", *(tower["precision"] for tower in towers)),
        _row("matrices in 8 bits", *(_in_8_bits(tower) for tower in towers)),
        _row("inputs equal", *(_equal(tower) for tower in towers)),
        _row("in fp32: greatest difference", *(_exact(tower) for tower in towers)),
        _row("greatest difference", *(f"{tower['max_difference']:.1e}" for tower in towers)),
        _row("least cosine", *(f"{tower['least_cosine']:.6f}" for tower in towers)),
        _row("noise, of the spread", *(f"{tower['noise']:.4f}" for tower in towers)),
    ]
    if "load_seconds" in report:
        load = report["load_seconds"]
        speed = [report["speed"][what] for what in ("text_ms", "image_ms")]
        sizes = [_megabytes(report["bytes"], files) for files in (("text", "tok"), ("image",))]
        lines += [
            _row("size", *sizes),
            _row("load, to the first vector", *(f"{load[tower] * 1e3:.0f} ms" for tower in TOWERS)),
            _row("one, when warm", *(f"{ms:.1f} ms" for ms in speed)),
        ]
    for name, found in report.get("ranking", {}).items():
        lines.append(
            f"{LABELS[name]}: {found['overlap']:.1%} of the first {found['top']} of "
            f"{found['pictures']} are the checkpoint's, over {found['queries']} queries"
        )
    lines += [line for name in TOWERS for line in _in_fp32(name, report[name])]
    if "logit_scale" in report:
        bias = f", bias {report['logit_bias']:.4f}" if report.get("logit_bias") else ""
        lines.append(f"logit scale: {report['logit_scale']:.4f}{bias}")
    return "\n".join(lines)


def _row(label: str, *cells: str) -> str:
    return (f"{label:30}" + "".join(f"{cell:>14}" for cell in cells)).rstrip()


def _in_8_bits(tower: Mapping[str, Any]) -> str:
    found = tower.get("eight_bits")
    if not found:
        return "none" if tower["precision"] == "fp32" else ""
    return f"{found['matrices'] - len(found['in_fp32'])} of {found['matrices']}"


def _in_fp32(name: str, tower: Mapping[str, Any]) -> list[str]:
    """The matrices that stay in fp32, and why."""
    found = tower.get("eight_bits", {}).get("in_fp32", {})
    if not found:
        return []
    reasons = ", ".join(f"{matrix} ({noise:.3f})" for matrix, noise in found.items())
    return [f"{name}: in fp32, for the noise that each adds in 8 bits: {reasons}"]


def _equal(tower: Mapping[str, Any]) -> str:
    equal = tower.get("tokens_equal", tower.get("pixels_equal"))
    return f"{equal} of {tower['samples']}"


def _exact(tower: Mapping[str, Any]) -> str:
    return f"{tower.get('fp32_max_difference', tower['max_difference']):.1e}"


def _megabytes(sizes: Mapping[str, int], prefixes: tuple[str, ...]) -> str:
    return f"{sum(n for file, n in sizes.items() if file.startswith(prefixes)) / 1e6:.1f} MB"

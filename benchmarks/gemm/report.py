"""The tables of a report."""

from __future__ import annotations

from typing import Any

from benchmarks.gemm.stages import AROUND, share

# How much of the tower's time its products shall be at least, by case; None: no goal.
GOALS = (0.75, None, 0.85)
MOST_AROUND = 0.30

CASES = "instructions | case | tower, ms | products, ms | GMAC/s | share | goal | integers only, ms"


def table(report: dict[str, Any]) -> str:
    blocks = [_products(report["levels"]), *_stages(report["levels"]), _notes(report)]
    return "\n\n".join(blocks)


def _products(levels: dict[str, Any]) -> str:
    rows = [CASES, "--- | " * 7 + "---"]
    for name, level in levels.items():
        for case, goal in zip(level["cases"], GOALS, strict=True):
            share = case["limit"] / case["tower"]
            rows.append(
                f"{name} | {case['name']} | {_ms(case['tower'])} | {_ms(case['limit'])} "
                f"| {level['macs'] / case['limit'] / 1e9:.0f} | {share:.1%} "
                f"| {_verdict(share, goal)} | {_ms(case['integer'])}"
            )
        joined = level["macs"] / level["joined"] / 1e9
        rows.append(
            f"{name} | the same in one product | | {_ms(level['joined'])} | {joined:.0f} | | |"
        )
    return _framed(rows)


def _stages(levels: dict[str, Any]) -> list[str]:
    tables = []
    for size in next(iter(levels.values()))["stages"]:
        stages = list(next(iter(levels.values()))["stages"][size]["ms"])
        head = " | ".join(f"{stage}, ms" for stage in stages)
        rows = [f"JPEG of {size} | {head} | all | {', '.join(AROUND)} | goal"]
        rows.append("--- | " * (len(stages) + 3) + "---")
        for name, level in levels.items():
            ms = level["stages"][size]["ms"]
            around = share(ms)
            rows.append(
                f"{name} | {' | '.join(f'{ms[stage]:.1f}' for stage in stages)} "
                f"| {sum(ms.values()):.1f} | {around:.0%} | {_most(around)}"
            )
        tables.append(_framed(rows))
    return tables


def _notes(report: dict[str, Any]) -> str:
    level = next(iter(report["levels"].values()))
    before, after = report["load"]
    lines = [
        f"{level['products']} products of {len(level['shapes'])} shapes, "
        f"{level['macs'] / 1e9:.2f} GMAC a picture; load {before:.1f} before, {after:.1f} after",
        "cosines with the vector of the first instructions: "
        + ", ".join(f"{cosine:.6f}" for cosine in report["cosines"]),
        *(f"{name} was left out: {why}" for name, why in report["left out"].items()),
    ]
    return "\n".join(lines)


def _framed(rows: list[str]) -> str:
    return "\n".join(f"| {row} |".replace("|  |", "| |") for row in rows)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


def _verdict(share: float, goal: float | None) -> str:
    if goal is None:
        return ""
    return f"{goal:.0%}, {'met' if share >= goal else f'missed by {goal - share:.1%}'}"


def _most(share: float) -> str:
    missed = f"missed by {share - MOST_AROUND:.1%}"
    return f"at most {MOST_AROUND:.0%}, {'met' if share <= MOST_AROUND else missed}"

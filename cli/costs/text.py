"""The tables as text, and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from cli.costs.prices import PRICES
from cli.costs.tables import Table

WHAT, AMOUNT, USD = 30, 14, 12  # columns


def text_of(tables: Iterable[Table]) -> str:
    return "\n\n".join("\n".join(_rows(table)) for table in tables)


def figures_of(tables: Iterable[Table]) -> list[dict[str, Any]]:
    return [
        {
            "name": table.name,
            "title": table.title,
            "lines": [dataclasses.asdict(line) for line in table.lines],
            "usd": table.usd,
        }
        for table in tables
    ]


def prices_text() -> str:
    rows = [
        (f"${p.usd:.2f}" if p.usd >= 0.01 else f"${p.usd:.7f}", p.per, p.source, p.checked)
        for p in PRICES.values()
    ]
    return "\n".join(_aligned([("dollars", "a", "source", "checked"), *rows]))


def _rows(table: Table) -> Iterable[str]:
    yield table.title
    for line in table.lines:
        digits = 0 if line.amount >= 100 else 1 if line.amount >= 1 else 2
        amount = f"{line.amount:,.{digits}f}".removesuffix(".0").removesuffix(".00")
        row = f"  {line.what:<{WHAT}}{amount:>{AMOUNT}} {line.unit:<9}{_dollars(line.usd):>{USD}}"
        yield f"{row}  {line.limited_by}".rstrip()
    yield f"  {'together':<{WHAT}}{'':{AMOUNT}} {'':9}{_dollars(table.usd):>{USD}}"


def _dollars(value: float) -> str:
    return f"${value:,.2f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]

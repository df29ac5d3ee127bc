"""The table of models: what is known of each checkpoint, and what `make bench-models` measured.

`clipsearch models` prints it and docs/models.md has it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_export.config import parse_config
from model_export.facts import FACTS, RECOMMENDED, Recall
from model_export.known import KNOWN
from model_export.towers.families import weight_shapes

MEASURED = Path(__file__).parent / "measured.json"  # written by `make bench-models ARGS=--record`

NOTHING = "–"  # noqa: RUF001  a dash, as in print
PUBLISHED_HEADS = (
    *("id", "family", "languages", "licence", "dimension", "pixels", "download"),
    *("COCO R@1", "COCO R@5", "XM3600 R@1"),
)
MEASURED_UNITS = {
    "bundle_mb": ("bundle", "{:,.0f} MB"),
    "text_ms": ("text", "{:.1f} ms"),
    "image_ms": ("image", "{:,.0f} ms"),
    "memory_mb": ("memory", "{:,.0f} MB"),
    "cold_start_s": ("cold start", "{:.2f} s"),
}
MEASURED_HEADS = ("id", *(head for head, _ in MEASURED_UNITS.values()))

Row = Sequence[str]


def models() -> list[dict[str, Any]]:
    """One object for each checkpoint, as `clipsearch models --json` prints it. Recall is in
    percent. None: not published or not measured."""
    measured = measurements()["models"]
    return [{**_published(model), "measured": measured.get(model)} for model in KNOWN]


def measurements() -> dict[str, Any]:
    """The file that the benchmark wrote."""
    found: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def published_rows(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """With PUBLISHED_HEADS first."""
    return [
        PUBLISHED_HEADS,
        *(
            (
                *(str(one[key]) for key in ("id", "family", "languages", "licence")),
                *(str(one[key]) for key in ("dimension", "image_size")),
                f"{one['download_mb']:,} MB",
                *(_percent(one["coco"], key) for key in ("at_1", "at_5")),
                _percent(one["xm3600"], "at_1"),
            )
            for one in found
        ),
    ]


def measured_rows(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """With MEASURED_HEADS first."""
    return [MEASURED_HEADS, *((one["id"], *_cells(one["measured"])) for one in found)]


def recommendations() -> list[str]:
    return [f"{use}: {model}, {why}" for use, (model, why) in RECOMMENDED.items()]


def markdown(rows: Sequence[Row]) -> str:
    """The first row is the heads; the first column has ids."""
    heads, *others = rows
    lines = [heads, ["---"] * len(heads), *([f"`{row[0]}`", *row[1:]] for row in others)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def aligned(rows: Sequence[Row]) -> str:
    """Columns of equal width, for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _published(model: str) -> dict[str, Any]:
    known, facts = KNOWN[model], FACTS[model]
    config = parse_config(facts.config)
    parameters = sum(map(math.prod, weight_shapes(config).values()))
    return {
        "id": model,
        "family": known.family,
        "languages": facts.languages,
        "licence": facts.licence,
        "dimension": config.dim,
        "image_size": config.vision.image_size,
        "parameters": parameters,
        "download_mb": round(parameters * 4 / 1e6),  # 32 bits each
        "revision": known.revision,
        "coco": _recall(facts.coco),
        "xm3600": _recall(facts.xm3600),
    }


def _recall(recall: Recall | None) -> dict[str, Any] | None:
    if recall is None:
        return None
    return {"at_1": recall.at_1, "at_5": recall.at_5, "source": recall.source}


def _percent(recall: Mapping[str, Any] | None, key: str) -> str:
    value = None if recall is None else recall[key]
    return NOTHING if value is None else f"{value:.1f} %"


def _cells(measured: Mapping[str, float] | None) -> list[str]:
    return [
        NOTHING if measured is None else form.format(measured[key])
        for key, (_, form) in MEASURED_UNITS.items()
    ]

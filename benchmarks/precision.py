"""Compare 8 bits with fp32, tower by tower: `make bench-precision`.

Quality is that of the demo model, because it is trained. Its towers are combined in every way and
measured like `make evaluate-demo`. Size, loading and speed are those of ViT-B/32 at full size,
from the report of its export; random weights are enough. Prints two tables; writes
build/bench/precision.json.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from benchmarks.random_clip import save_vit_b32
from cli import ROOT
from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import PRECISIONS, TOWERS, Precision, Tower
from model_export.checkpoint import load_checkpoint
from model_export.demo.evaluate import LABELS, evaluate
from model_export.demo.export import export_demo
from model_export.write_bundle import export_bundle

FOLDER = ROOT / "build" / "bench" / "precision"
RESULT = FOLDER.with_suffix(".json")


def main() -> None:
    quality = {}
    for image, text in itertools.product(PRECISIONS, PRECISIONS):
        name = f"image {image}, text {text}"
        print(name)
        folder = FOLDER / f"demo-{image}-{text}"
        export_demo(folder, image, text)
        quality[name] = evaluate(Encoder.from_folder(folder))
    print("exporting ViT-B/32 in fp32 and in 8 bits (takes a minute)")
    full_size = {precision: report(precision) for precision in PRECISIONS}
    cost = {
        f"{tower} {precision}": row(full_size[precision], tower)
        for tower in TOWERS
        for precision in PRECISIONS
    }
    RESULT.write_text(json.dumps({"demo": quality, "vit-b32": cost}, indent=1) + "\n")
    print(table({LABELS[key]: {n: q[key] for n, q in quality.items()} for key in LABELS}, "{:.3f}"))
    print(table(cost, "{:.4g}"))
    print(f"written to {RESULT}")


def report(precision: Precision) -> dict[str, Any]:
    """The report of exporting a full-size model with random weights."""
    bundle = export_bundle(
        load_checkpoint(save_vit_b32(FOLDER / "vit-b32"), "vit-b32"),
        FOLDER / f"vit-b32-{precision}",
        name=f"vit-b32-random-{precision}",
        precision=dict.fromkeys(TOWERS, precision),
    )
    return dict(bundle.report)


def row(found: dict[str, Any], tower: Tower) -> dict[str, float]:
    files = {file: size for file, size in found["bytes"].items() if file.startswith(tower)}
    return {
        "MB": sum(files.values()) / 1e6,
        "load, s": found["load_seconds"][tower],
        "ms": found["speed"][f"{tower}_ms"],
        "least cosine": found[tower]["least_cosine"],
        "noise": found[tower]["noise"],
    }


def table(rows: dict[str, dict[str, float]], form: str) -> str:
    columns = list(next(iter(rows.values())))
    width = max(map(len, rows)) + 2
    lines = [" " * width + "".join(f"{column:>24}" for column in columns)]
    for name, values in rows.items():
        cells = (f"{form.format(values[column]):>24}" for column in columns)
        lines.append(f"{name:{width}}" + "".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()

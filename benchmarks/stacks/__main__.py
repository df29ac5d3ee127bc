"""python -m benchmarks.stacks [--scenes N] [--photos N] [--vectors FILE]: see the package."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.stacks import library, pairs, window
from benchmarks.stacks.pictures import library as pictures
from cli import ROOT
from clipsearch.model.encoder import Encoder
from model_export.demo import BUNDLE

RESULT = ROOT / "build" / "bench" / "stacks.json"
PARTS = ("pairs", "window", "library")
SEED = 17


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-stacks", description="measure stacks")
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--vectors",
        type=Path,
        help="an .npz with image_vectors of different photos, from a real model",
    )
    options = parser.parse_args()
    report: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    if "pairs" in options.parts:
        encoder = Encoder.from_folder(BUNDLE)
        report["pairs"] = pairs.measure(pairs.see(encoder, pictures(options.scenes, SEED)))
        if options.vectors:
            with np.load(options.vectors, allow_pickle=False) as archive:
                report["pairs"]["unlike"] = pairs.unlike(archive["image_vectors"])
    if "window" in options.parts:
        report["window"] = window.measure(options.photos)
    if "library" in options.parts:
        report["library"] = library.measure(options.photos)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    parts = {"pairs": pairs.table, "window": window.table, "library": library.table}
    print("\n\n".join(parts[part](report[part]) for part in PARTS if part in report))
    print(f"written to {RESULT}")


if __name__ == "__main__":
    main()

"""python -m benchmarks.memory [--photos N …] [--parts PART …]: see the package."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index.__main__ import machine
from benchmarks.index.data import Data
from benchmarks.memory import functions, parts
from cli import ROOT
from model_export.samples import photo

RESULT = ROOT / "build" / "bench" / "memory.json"
PARTS = ("parts", "functions")
MB = 1e6


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-memory", description="measure the memory")
    parser.add_argument("--photos", type=int, nargs="+", default=[118_287, 1_000_000])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--keep", action="store_true", help="keep the index for the next run")
    options = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        print("make bench-memory reads memory in /proc: it needs Linux", file=sys.stderr)
        return 1
    report: dict[str, Any] = {"machine": machine()}
    if "parts" in options.parts:
        report["parts"] = {str(photos): _parts(photos, options.keep) for photos in options.photos}
    if "functions" in options.parts:
        picture = photo(np.random.default_rng(0), 640, 480)
        photos = min(options.photos)
        report["functions"] = {"photos": photos, **functions.measure(photos, picture)}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print("\n\n".join(tables(report)))
    print(f"written to {RESULT}")
    return 0


def _parts(photos: int, keep: bool) -> dict[str, Any]:
    data = Data.load(None)
    folder = ROOT / "build" / "bench" / f"index-{photos}-{data.origin}"
    try:
        data.write_library(folder, photos)
        return parts.measure(folder)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def tables(report: dict[str, Any]) -> list[str]:
    found = []
    for photos, one in report.get("parts", {}).items():
        rows = [f"| {int(photos):,} photos | bytes a photo |", "| --- | --- |"]
        rows += [f"| {part} | {size / int(photos):.1f} |" for part, size in one["held"].items()]
        rows.append(f"| all | {sum(one['held'].values()) / int(photos):.1f} |")
        found.append("\n".join(rows))
        rows = [
            f"| {int(photos):,} photos, after | MB | peak | CPU ms |",
            "| --- | --- | --- | --- |",
        ]
        for step, its in one["steps"].items():
            mb = f"{its['now'] / MB:.0f} | {its['peak'] / MB:.0f} | {its.get('cpu_ms', '')}"
            rows.append(f"| {step} | {mb} |")
        rows += [f"| {what} | | | {ms} |" for what, ms in one["cpu_ms"].items()]
        found.append("\n".join(rows))
    if "functions" in report:
        photos = report["functions"]["photos"]
        rows = [f"| {photos:,} photos | charged MB | peaks MB |", "| --- | --- | --- |"]
        for name in ("search", "ingest"):
            for after, its in report["functions"][name].items():
                mb = f"{its['charged'] / MB:.0f} | {its['peak'] / MB:.0f}"
                rows.append(f"| {name}, after {after} | {mb} |")
        found.append("\n".join(rows))
    return found


if __name__ == "__main__":
    sys.exit(main())

"""python -m benchmarks.growth [--photos N …] [--keep]: see the package."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.growth.plot import plot
from benchmarks.growth.work import measure
from benchmarks.index.__main__ import machine
from benchmarks.index.data import Data
from benchmarks.models import Busy
from cli import ROOT

RESULT = ROOT / "build" / "bench" / "growth.json"
PICTURE = ROOT / "docs" / "growth.svg"
UNITS = {
    "cold start": "CPU s",
    "search": "CPU ms",
    "memory": "MB",
    "refresh": "CPU ms",
    "upload": "requests",
    "compaction": "CPU s",
    "reconcile": "CPU s",
}
Measured = Mapping[int, Mapping[str, float]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-growth", description="measure growth")
    parser.add_argument(
        "--photos",
        type=int,
        nargs="+",
        default=[1_000, 10_000, 100_000, 1_000_000],
        help="two or more numbers; 5000000 takes 8 GB of memory, 20 GB of disk and half an hour",
    )
    parser.add_argument("--keep", action="store_true", help="keep the indexes for the next run")
    options = parser.parse_args()
    if len(set(options.photos)) < 2:
        parser.error("--photos needs two or more different numbers")
    if not Path("/proc/self/clear_refs").exists():
        print("make bench-growth reads memory in /proc: it needs Linux", file=sys.stderr)
        return 1
    data, found, busy = Data.load(None), {}, Busy()
    for photos in sorted(set(options.photos)):
        folder = ROOT / "build" / "bench" / f"index-{photos}-{data.origin}"
        try:
            data.write_library(folder, photos)
            found[photos] = measure(folder, photos)
        finally:
            if not options.keep:
                shutil.rmtree(folder, ignore_errors=True)
    others = busy.share_of_others()
    report = {"measured": found, "slopes": slopes(found), "other_processes": others}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({**report, "machine": machine()}, indent=1) + "\n")
    curves = {name: [(n, its[name]) for n, its in found.items()] for name in UNITS}
    PICTURE.write_text(
        plot(curves, {n: f"{n}, slope {s[0]:.2f}" for n, s in slopes(found).items()})
    )
    print(table(found))
    print(f"other processes had {others:.0%} of the processors")
    print(f"written to {RESULT} and {PICTURE}")
    return 0


def slopes(found: Measured) -> dict[str, tuple[float, float]]:
    """In a log-log plot: between the last two sizes, and fitted to all."""
    sizes = sorted(found)
    logs = np.log([float(size) for size in sizes])
    result = {}
    for name in UNITS:
        values = [math.log(max(found[size][name], 1e-9)) for size in sizes]
        last = (values[-1] - values[-2]) / (logs[-1] - logs[-2])
        result[name] = round(float(last), 2), round(float(np.polyfit(logs, values, 1)[0]), 2)
    return result


def table(found: Measured) -> str:
    sizes = sorted(found)
    rows = ["| | " + " | ".join(f"{size:,}" for size in sizes) + " | last slope | all |"]
    rows.append("| --- " * (len(sizes) + 3) + "|")
    for name, (last, every) in slopes(found).items():
        values = " | ".join(f"{found[size][name]:.3g}" for size in sizes)
        rows.append(f"| {name}, {UNITS[name]} | {values} | {last:.2f} | {every:.2f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())

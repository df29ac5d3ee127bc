"""python -m benchmarks.engine [--vectors FILE] [--photos N …] [--kinds KIND …]: see the package."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engine import library, measure, union
from benchmarks.index.data import Data
from cli import ROOT
from clipsearch.engine.lance_table import NUMBERS_PER_BYTE, partitions_for
from clipsearch.engine.stretch import STRETCH

RESULT = ROOT / "build" / "bench" / "engine.json"
UNION = RESULT.with_name("engine-union.json")
KINDS = ("IVF_PQ", "IVF_RQ", "IVF_SQ")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-engine", description="measure the mirror")
    parser.add_argument("--vectors", type=Path, help="as of make bench-index")
    parser.add_argument("--more-texts", type=Path, help="as of make bench-index")
    parser.add_argument("--photos", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["IVF_PQ"])
    parser.add_argument("--stretch", type=float, nargs="+", default=[STRETCH], help="1: none")
    parser.add_argument("--probed", type=float, nargs="+", default=[0.05, 0.1, 0.3])
    parser.add_argument("--refine", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--only-union", action="store_true", help="build, then only the union")
    parser.add_argument("--keep", action="store_true", help="keep the tables for the next run")
    options = parser.parse_args()
    data = Data.load(options.vectors, options.more_texts)
    report: list[dict[str, Any]] = json.loads(RESULT.read_text()) if RESULT.exists() else []
    for photos in options.photos:
        for stretch in options.stretch:
            name = f"engine-{photos}-{stretch:g}-{data.origin}.lance"
            folder = ROOT / "build" / "bench" / name
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                for kind in options.kinds:
                    _measure(options, data, folder, photos, stretch, kind, report)
            finally:
                if not options.keep:
                    shutil.rmtree(folder, ignore_errors=True)
                    folder.with_suffix(".npz").unlink(missing_ok=True)
    print(table(report))
    print(f"written to {RESULT} and {UNION}")


def _measure(
    options: argparse.Namespace,
    data: Data,
    folder: Path,
    photos: int,
    stretch: float,
    kind: str,
    report: list[dict[str, Any]],
) -> None:
    bounds = library.write(folder, data, photos, stretch)
    built = measure.build(folder, kind, photos, data.base.shape[1] // NUMBERS_PER_BYTE)
    if kind == "IVF_PQ" and stretch == STRETCH:
        found = union.measure(folder, data, bounds, photos)
        UNION.write_text(json.dumps(found, indent=1) + "\n")
        print(union.table(found))
    for probed in () if options.only_union else options.probed:
        for refine in options.refine:
            probes = int(np.ceil(probed * partitions_for(photos)))
            case = {"photos": photos, "stretch": stretch, "kind": kind, "vectors": data.origin}
            case |= {"probed": probed, "refine": refine}
            sets = measure.search(folder, data, bounds, stretch, probes, refine)
            report[:] = [one for one in report if {key: one[key] for key in case} != case]
            report.append({**case, "build": built, "sets": sets})
            RESULT.write_text(json.dumps(report, indent=1) + "\n")


def table(report: list[dict[str, Any]]) -> str:
    lines = [
        "| photos | index, stretch | partitions, refine | queries | recall@20 | ms (CPU) | reads "
        "| cold: ms, reads, MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in report:
        for said, its in case["sets"].items():
            lines.append(
                f"| {case['photos']:,} | {case['kind']}, x{case['stretch']:g} "
                f"| {case['probed']:.0%}, {case['refine']} | {said} | {its['recall']:.3f} "
                f"| {its['ms']:.0f} ({its['cpu_ms']:.0f}) | {its['reads']:.0f} "
                f"| {its['cold_ms']:.0f}, {its['cold_reads']:.0f}, {its['cold_mb']:.1f} |"
            )
    for case in report:
        its = case["build"]
        lines.append(
            f"{case['photos']:,} {case['kind']}: built in {its['seconds']:.0f} s, "
            f"{its['cpu_s']:.0f} s of CPU; {its['peak_mb']:.0f} MB"
        )
    return "\n".join(dict.fromkeys(lines))


if __name__ == "__main__":
    main()

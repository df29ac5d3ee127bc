"""python -m benchmarks.index [--vectors FILE] [--photos N …] [--parts PART …] [--rows bucket]: see
the package."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks.index import bucket_rows, cold, crowd, filters, recall, search, uploads
from benchmarks.index.data import Data
from benchmarks.index.libraries import KINDS, PLAIN
from cli import ROOT
from clipsearch.cpus import cpus

RESULT = ROOT / "build" / "bench" / "index.json"
PARTS = ("uploads", "search", "recall", "filters", "cold", "crowd")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-index", description="measure a large index")
    parser.add_argument(
        "--vectors",
        type=Path,
        help="an .npz with image_vectors and text_vectors of a real model, enlarged by mixing; "
        "default: made-up vectors",
    )
    parser.add_argument(
        "--more-texts",
        type=Path,
        help="an .npz with text_vectors of other subjects, for the part recall",
    )
    parser.add_argument(
        "--libraries", nargs="+", choices=KINDS, default=list(KINDS), help="for the part recall"
    )
    parser.add_argument("--photos", type=int, nargs="+", default=[118_287, 1_000_000])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--rows",
        choices=("memory", "bucket"),
        default="memory",
        help="bucket: leave the rows in the folder, which then takes 30 ms more for each request. "
        "Measures memory, recall, time and cold start, and none of the parts",
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the generated photos for the next run"
    )
    options = parser.parse_args()
    data = Data.load(options.vectors, options.more_texts)
    report: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    report.update(vectors=data.origin, machine=machine())
    if options.rows == "bucket":
        _measure_bucket(report, data, options)
        print(bucket_rows.table(report["rows in the bucket"]))
        print(f"written to {RESULT}")
        return
    if "uploads" in options.parts:
        report["uploads"] = uploads.measure()
    for photos in options.photos:
        folder = ROOT / "build" / "bench" / f"index-{photos}-{data.origin}"
        try:
            if set(PARTS[1:]) & set(options.parts) - {"recall"}:
                data.write_library(folder, photos)
            if "cold" in options.parts:
                report.setdefault("cold", {})[str(photos)] = cold.measure(folder, data)
            if "crowd" in options.parts and photos == min(options.photos):
                report["crowd"] = crowd.measure(folder)
            if "search" in options.parts:
                report.setdefault("search", {})[str(photos)] = search.measure(folder, data, photos)
            if "filters" in options.parts:
                measured = filters.measure(folder, data, photos)
                report.setdefault("filters", {})[str(photos)] = measured
            if "recall" in options.parts:
                sizes = report.setdefault("recall", {}).setdefault(str(photos), {})
                for kind in options.libraries:
                    sizes[kind] = _recall(folder, data, photos, kind, options.keep)
                    _save(report)
        finally:
            if not options.keep:
                shutil.rmtree(folder, ignore_errors=True)
    _save(report)
    print(table(report))
    print(f"written to {RESULT}")


def _measure_bucket(report: dict[str, Any], data: Data, options: argparse.Namespace) -> None:
    for photos in options.photos:
        for kind in options.libraries:
            folder = ROOT / "build" / "bench" / f"index-{photos}-{data.origin}"
            folder = folder if kind == PLAIN else folder.with_name(f"{folder.name}-{kind}")
            try:
                data.write_library(folder, photos, kind=kind)
                measured = bucket_rows.measure(folder, data, photos, kind)
            finally:
                if not options.keep:
                    shutil.rmtree(folder, ignore_errors=True)
            sizes = report.setdefault("rows in the bucket", {})
            sizes.setdefault(str(photos), {})[kind] = measured
            _save(report)


def _save(report: dict[str, Any]) -> None:
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")


def _recall(plain: Path, data: Data, photos: int, kind: str, keep: bool) -> dict[str, Any]:
    """In the library of this kind. `plain`: the folder of the plain one, which other parts use."""
    folder = plain if kind == PLAIN else plain.with_name(f"{plain.name}-{kind}")
    try:
        data.write_library(folder, photos, kind=kind)
        return recall.measure(folder, data, photos, kind)
    finally:
        if not keep and kind != PLAIN:
            shutil.rmtree(folder, ignore_errors=True)


def machine() -> dict[str, object]:
    versions = {"faiss": faiss.__version__, "numpy": np.__version__}
    return {"cpus": cpus(), "platform": platform.platform(), **versions}


def table(report: dict[str, Any]) -> str:
    rows = [("what", "measured", "bound")]
    for size, found in report.get("uploads", {}).items():
        said = f"{found['requests']} requests, {found['bytes']:,} bytes"
        rows.append((f"an upload at {int(size):,} photos", said, "equal within 10 %"))
    for size, found in report.get("search", {}).items():
        for kind in ("text", "image"):
            its = found[kind]
            said = f"{its['ms']:.2f} ms: 1/{its['of_one_thread']:.0f}, 1/{its['of_default']:.0f}"
            said += f"; recall {its['recall']:.4f}; a page {its['page_ms']:.1f} ms"
            bound = f"1/{50 if int(size) < 500_000 else 100} at 0.99" if kind == "text" else ""
            rows.append((f"search {int(size):,}, {kind}", said, bound))
    rows += recall.rows(report.get("recall", {}))
    for size, found in report.get("filters", {}).items():
        for kind, its in found.items():
            said = f"{its['ms']:.1f} ms; recall {its['recall']:.4f}"
            if "first_ms" in its:
                said = f"first {its['first_ms']:.0f} ms, then {said}"
            rows.append((f"search {int(size):,}, {kind}", said, "150, 30 ms at 0.99"))
    for size, found in report.get("cold", {}).items():
        said = f"{found['seconds']:.2f} s: {found['ratio']:.2f} x reading; {found['peak_mb']} MB"
        rows.append((f"cold {int(size):,}", said, "3 x reading; 1,500 MB"))
    if "crowd" in report:
        found = report["crowd"]
        said = f"{found['lost']} lost; p50 {found['p50_s']:.2f} s, p95 {found['p95_s']:.2f} s"
        rows.append(("1,000 uploads from 16 workers", said, "none lost; p95 2 s"))
    lines = [f"{a:34} {b:54} {c}" for a, b, c in rows]
    return "\n".join(
        [*lines, "The fractions are of IndexFlatIP's time on one thread, and on all threads."]
    )


if __name__ == "__main__":
    main()

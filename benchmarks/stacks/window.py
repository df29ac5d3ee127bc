"""What a search pays for stacks: more photos are found, and compared with each other."""

from __future__ import annotations

import shutil
import statistics
import time
from typing import Any

from benchmarks.index.data import SPACE, Data
from cli import ROOT
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.hits import leaders
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket

PAGE = 25  # photos that a page needs without stacks
WINDOWS = (200, 500, 1000)
QUERIES = 60


def measure(photos: int) -> dict[str, Any]:
    """Median milliseconds, in turns. The photos of `make bench-index`, each with its own hash."""
    data = Data.load(None)
    folder = ROOT / "build" / "bench" / f"stacks-{photos}"
    try:
        data.write_library(folder, photos)
        snapshot = SnapshotReader(FolderBucket(folder), SPACE).refresh()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    index = PhotoIndex()
    index.update(snapshot)
    found: dict[int, list[float]] = {size: [] for size in (PAGE, *WINDOWS)}
    compared: dict[int, list[float]] = {size: [] for size in WINDOWS}
    for query in data.text_queries()[:QUERIES]:
        for size, seconds in found.items():
            begin = time.perf_counter()
            hits = index.search(query, size)
            seconds.append(time.perf_counter() - begin)
            if size in compared:
                begin = time.perf_counter()
                leaders(hits)
                compared[size].append(time.perf_counter() - begin)
    return {
        "photos": photos,
        "search_ms": {size: 1e3 * statistics.median(times) for size, times in found.items()},
        "compare_ms": {size: 1e3 * statistics.median(times) for size, times in compared.items()},
    }


def table(report: dict[str, Any]) -> str:
    """Keys are text if the report was read from a file."""
    searched = {int(size): ms for size, ms in report["search_ms"].items()}
    compared = {int(size): ms for size, ms in report["compare_ms"].items()}
    lines = [f"| {report['photos']:,} photos | find them | compare them |", "| --- | --- | --- |"]
    for size, ms in searched.items():
        comparing = f"{compared[size]:.1f} ms" if size in compared else ""
        lines.append(f"| the best {size} | {ms:.1f} ms | {comparing} |")
    return "\n".join(lines)

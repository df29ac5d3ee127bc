"""See __init__."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.page.bench import Bench
from benchmarks.screenshot import CHROMIUM_FLAGS, find_chromium
from benchmarks.system.servers import free_port
from cli import ROOT
from cli.common.localhost import HOST

RESULT = Path("build/bench/page.json")
PATIENCE = 180.0  # seconds
# name → (unit, the most that it should be)
GOALS: dict[str, tuple[str, float | None]] = {
    "start page: its own files, uncompressed": ("KB", 70),
    "start page: the answers of search": ("KB", None),
    "start page: requests without pictures": ("", 12),
    "first paint with JavaScript": ("ms", None),
    "first paint without JavaScript": ("ms", None),
    "thumbnails of 24 results": ("KB", 900),
    "layout shift from the start to more results": ("", 0),
    "slowest interaction with 1,000 results": ("ms", 100),
    "its CPU time in the main thread": ("ms", 100),
    "back to the place among 5,000 results": ("ms", None),
    "its CPU time": ("ms", None),
}


@contextmanager
def stack(photos: Path | None, folder: Path) -> Iterator[str]:
    """`clipsearch run`; gives the URL of the page when all photos are indexed."""
    port, output = free_port(), folder / "run.log"
    what = [str(photos)] if photos else ["--count", "100"]
    options = ["--demo-model", "--no-browser", "--state", str(folder), "--port", str(port)]
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "run", *what, *options],
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
        )
    try:
        give_up = time.monotonic() + PATIENCE
        while "; watching that folder" not in output.read_text():
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(output.read_text())
            time.sleep(0.1)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def table(found: dict[str, float]) -> str:
    lines = ["| | measured | goal |", "| --- | --- | --- |"]
    for name, value in found.items():
        unit, most = GOALS[name]
        goal = "" if most is None else f"{most:g} {unit}".strip()
        number = f"{value:.3f}" if 0 < value < 1 else f"{value:.0f}"
        lines.append(f"| {name} | {number} {unit}".rstrip() + f" | {goal} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the page in Chromium.")
    parser.add_argument("--photos", type=Path, help="photos in place of demo pictures")
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("Chromium is not installed; on Debian: apt-get install chromium", file=sys.stderr)
        return 2
    photos = options.photos and options.photos.resolve()
    with (
        tempfile.TemporaryDirectory() as folder,
        stack(photos, Path(folder)) as page_url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        found = dict(zip(GOALS, Bench(browser, page_url).measure(), strict=True))
        browser.close()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

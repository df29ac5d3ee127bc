"""python -m benchmarks.ingest [--turns N] [--photos N]: see the package."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.ingest.report import GOAL, MOST_WAITS, figures, table
from benchmarks.ingest.slow_storage import DELAY_S
from benchmarks.models import machine
from benchmarks.random_checkpoint import checkpoint
from benchmarks.thumbnails.pictures import jpeg, photograph
from cli import ROOT
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.manifest import TOWERS
from clipsearch.storage.local import FolderBucket
from model_export.write_bundle import write_bundle

RESULT = ROOT / "build" / "bench" / "ingest.json"
MODEL = "openai/clip-vit-base-patch32"
SIZES = ((640, 480), (1280, 960))
PICTURES = 16


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="make bench-ingest", description="measure how well ingest uses one CPU"
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--photos", type=int, default=256, help="in a batch; events get a quarter")
    options = parser.parse_args(arguments)
    if not hasattr(os, "sched_setaffinity"):
        print("make bench-ingest limits a process to one core: it needs Linux", file=sys.stderr)
        return 2
    compileall.compile_dir(ROOT / "functions", quiet=1)  # as in the deployment's build
    few = max(8, options.photos // 4)
    counts = {"events": few, "crowd": few, "batch": options.photos, "reconcile": options.photos}
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))
        turns = _measure(Path(folder), counts, options.turns)
    load.append(os.getloadavg()[0])
    ways = figures(turns)
    report = {
        "ways": ways,
        "counts": counts,
        "delay_s": DELAY_S,
        "goals": {"batch_of_limit": GOAL, "waits_of_event": MOST_WAITS},
        "machine": {**machine(), "load_before_and_after": load},
        "turns": turns,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(table(ways))
    if not turns[0]["is_first"]:
        print("other programs had the same priority: only root may ask for a higher one")
    print(f"load of the machine before and after: {load[0]:.1f}, {load[1]:.1f}")
    print(f"written to {RESULT}")
    return 0


def _prepare(folder: Path) -> None:
    """The model in a bucket, and pictures."""
    bundle = folder / "bundle"
    write_bundle(checkpoint(MODEL), bundle, MODEL, dict.fromkeys(TOWERS, "int8"))
    publish_bundle(bundle, FolderBucket(folder / "start" / "index"))
    (folder / "pictures").mkdir()
    for number in range(PICTURES):
        data = jpeg(photograph(SIZES[number % len(SIZES)], number))
        (folder / "pictures" / f"{number:02}.jpg").write_bytes(data)


def _measure(folder: Path, counts: dict[str, int], turns: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.ingest.worker", str(folder)]
    found = []
    with subprocess.Popen(
        [*command, json.dumps(counts), str(turns)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'functions'}"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a log line for each photo
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in tqdm(process.stdout, total=turns, unit="turn"):
                found.append(json.loads(line))
        finally:
            process.terminate()
    if len(found) < turns:
        raise SystemExit(f"the measured process ended with {process.returncode}")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

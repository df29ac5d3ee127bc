"""Measure every known checkpoint at full size, with random weights: `make bench-models`.

Needs no torch and no download: arrays of the shapes that the checkpoint has are written as a bundle
in 8 bits. Then the models take turns. Each turn is a process of its own, and the medians count:

    bundle_mb      all files of the bundle
    text_ms        a query, when warm
    image_ms       a 640 x 480 JPEG, when warm, with decoding
    memory_mb      peak of a process with both towers
    cold_start_s   from the start of a process to the first text vector

Prints the tables of docs/models.md; writes build/bench/models.json, with the share of the
processors that other processes had. --record writes model_export/measured.json, too, which
`clipsearch models` prints.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tqdm import tqdm

from benchmarks.random_checkpoint import checkpoint
from benchmarks.random_tokenizers import QUERIES
from cli import ROOT
from clipsearch.cpus import cpus
from clipsearch.model.manifest import TOWERS
from model_export.known import KNOWN
from model_export.samples import photo
from model_export.table import MEASURED, markdown, measured_rows, models, published_rows
from model_export.write_bundle import write_bundle

FOLDER = ROOT / "build" / "bench" / "models"
RESULT = FOLDER.with_suffix(".json")
PHOTO = FOLDER / "photo.jpg"

# time.monotonic() is one clock for all processes. VmHWM is the peak of this process alone.
TURN = """
import json, sys, time
sys.path.append("functions")
from pathlib import Path
from clipsearch.model.encoder import Encoder
folder, photo, *queries = sys.argv[1:]
encoder = Encoder.from_folder(Path(folder))
encoder.encode_text(queries[:1])
first = time.monotonic()

def milliseconds(encode, values, warm_up):
    taken = []
    for value in values:
        begin = time.perf_counter()
        encode(value)
        taken.append(1e3 * (time.perf_counter() - begin))
    return taken[warm_up:]

data = Path(photo).read_bytes()
text = milliseconds(lambda query: encoder.encode_text([query]), 4 * queries, 3)
encode_image = lambda data: encoder.encode_image([encoder.decode(data).square])
image = milliseconds(encode_image, 6 * [data], 2)
status = Path("/proc/self/status").read_text().splitlines()
[peak] = (line.split()[1] for line in status if line.startswith("VmHWM:"))
print(json.dumps({"first": first, "text": text, "image": image, "peak": int(peak) * 1024}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=KNOWN, default=[*KNOWN], metavar="ID")
    parser.add_argument("--record", action="store_true", help=f"write {MEASURED.name}, too")
    given = parser.parse_args()
    prepare()
    folders = {}
    for model in tqdm(given.only, desc="writing the models", unit="model"):
        folders[model] = write(model)
    begin = Busy()
    turns: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _ in tqdm(range(given.rounds), unit="round"):
        for model, folder in folders.items():
            turns[model].append(turn(folder))
    report = {
        "models": {model: row(folders[model], turns[model]) for model in folders},
        "rounds": given.rounds,
        "other_processes": begin.share_of_others(),
        "machine": machine(),
    }
    shutil.rmtree(FOLDER)  # gigabytes that nobody needs again
    _write_json(RESULT, report)
    if given.record:
        _write_json(MEASURED, report)
    found = [{**one, "measured": report["models"].get(one["id"])} for one in models()]
    print(markdown(published_rows(found)), markdown(measured_rows(found)), sep="\n\n")
    print(f"other processes had {report['other_processes']:.0%} of the processors")
    print(f"written to {RESULT}")


def prepare() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    PHOTO.write_bytes(photo(np.random.default_rng(0), 640, 480))
    compileall.compile_dir(ROOT / "functions", quiet=1)  # as in the deployment's build


def write(model: str) -> Path:
    """The folder of a new bundle with random weights, in 8 bits."""
    folder = FOLDER / model.replace("/", "--")
    write_bundle(checkpoint(model), folder, model, dict.fromkeys(TOWERS, "int8"))
    return folder


def turn(folder: Path) -> dict[str, Any]:
    """What one process measured; `first` is seconds from its start."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", TURN, str(folder), str(PHOTO), *QUERIES],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return {**measured, "first": measured["first"] - begin}


def row(folder: Path, turns: list[dict[str, Any]]) -> dict[str, float]:
    return {
        "bundle_mb": round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1),
        "text_ms": _median([value for one in turns for value in one["text"]]),
        "image_ms": _median([value for one in turns for value in one["image"]]),
        "memory_mb": round(statistics.median(one["peak"] for one in turns) / 1e6, 1),
        "cold_start_s": _median([one["first"] for one in turns]),
    }


class Busy:
    """How long the processors work from now on, for us and for others."""

    def __init__(self) -> None:
        self._started, self._all, self._ours = time.monotonic(), _busy(), _ours()

    def share_of_others(self) -> float:
        """From 0 to 1, of all processors of this machine."""
        others = _busy() - self._all - (_ours() - self._ours)
        possible = (time.monotonic() - self._started) * (os.cpu_count() or 1)
        return round(min(1.0, max(0.0, others / possible)), 3)


def _busy() -> float:
    """Seconds that all processors worked since the machine started."""
    first = Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _ours() -> float:
    """Seconds of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def machine() -> dict[str, object]:
    return {
        "cpus": cpus(),
        "platform": platform.platform(),
        "onnxruntime": onnxruntime.__version__,
    }


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 3)


def _write_json(path: Path, report: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Our encoder beside transformers and PyTorch, in one run on the same cores: `make bench-encoder`.

Both have the same ViT-B/32 at full size, with random weights. "theirs" works like the
original app: CLIPModel and CLIPProcessor from a local folder, texts padded to 77 tokens. Every
measurement has its own process. The three sides take turns, and the medians count.

    text, image, image_batch   seconds for a query, a 640 x 480 JPEG, eight of them, when warm
    cold_start                 seconds from the start of a process to the first text vector
    memory                     peak resident bytes of that process
    cold_start_from_bucket     cold_start with the bundle in a bucket (a folder), as deployed

Prints a table; writes build/bench/encoder.json: theirs divided by ours, and the medians.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict

from tqdm import tqdm

from cli import ROOT
from clipsearch.cpus import cpus

MODELS = ROOT / "build" / "bench" / "vit-b32"
RESULT = ROOT / "build" / "bench" / "encoder.json"
PHOTOS = MODELS / "photos"

GOALS = {"text": 15, "image": 5, "image_batch": 5, "cold_start": 20, "memory": 6}
PRECISIONS = ("int8", "fp32")

# Prints the time of the first text vector. time.monotonic() is one clock for all processes.
# VmHWM is the peak of this process; ru_maxrss would include its parent's.
COLD = """
import time
{start}
now = time.monotonic()
for _ in range(20):
    encode("a photo of two blue mushrooms")
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(now, int(peak[0].split()[1]) * 1024)
"""
OURS = """
import sys
sys.path.append("functions")
from pathlib import Path
from clipsearch.model.encoder import Encoder
from clipsearch.storage import open_bucket
encoder = {opened}
encode = lambda text: encoder.encode_text([text]).vectors
encode("two blue mushrooms")
"""
THEIRS = """
from benchmarks.encoder_sides import theirs
encode = theirs({folder!r})[0]
encode("two blue mushrooms")
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    make_models()
    compileall.compile_dir(ROOT / "functions", quiet=1)  # as in the deployment's build
    samples: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    sides = ["theirs", *PRECISIONS]
    for _ in tqdm(range(rounds), unit="round"):
        for side in sides:
            for name, values in warm(side).items():
                samples[side][name] += values
        for side in sides:
            seconds, peak = cold(_start(side))
            samples[side]["cold_start"].append(seconds)
            samples[side]["memory"].append(peak)
        for side in PRECISIONS:
            seconds, _ = cold(_start(side, from_bucket=True))
            samples[side]["cold_start_from_bucket"].append(seconds)
    medians = {
        side: {name: statistics.median(values) for name, values in measured.items()}
        for side, measured in samples.items()
    }
    ratios = {
        side: {name: medians["theirs"][name] / medians[side][name] for name in GOALS}
        for side in PRECISIONS
    }
    report = {**ratios, "medians": medians, "rounds": rounds, "machine": machine()}
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(table(medians, ratios))
    print(f"written to {RESULT}")


def make_models() -> None:
    """Make the models in MODELS unless they exist."""
    if not (MODELS / "done").exists():
        print(f"making the models in {MODELS} (once; takes a minute)")
        subprocess.run([sys.executable, "-m", "benchmarks.encoder_sides", "make"], check=True)


def warm(side: str) -> dict[str, list[float]]:
    """The seconds of every repetition, by measurement."""
    command = [sys.executable, "-m", "benchmarks.encoder_sides", side]
    seconds: dict[str, list[float]] = json.loads(_run(command).splitlines()[-1])
    return seconds


def cold(start: str) -> tuple[float, int]:
    """Seconds to the first text vector, and the peak memory of the process in bytes."""
    begin = time.monotonic()
    now, peak = _run([sys.executable, "-c", COLD.format(start=start)]).split()[-2:]
    return float(now) - begin, int(peak)


def _start(side: str, from_bucket: bool = False) -> str:
    if side == "theirs":
        return THEIRS.format(folder=str(MODELS / "hf"))
    folder = MODELS / side
    if from_bucket:
        bucket = (MODELS / f"bucket-{side}").as_uri()
        return OURS.format(opened=f"Encoder.from_bucket(open_bucket({bucket!r}))")
    return OURS.format(opened=f"Encoder.from_folder(Path({str(folder)!r}))")


def _run(command: list[str]) -> str:
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **quiet},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout


def machine() -> dict[str, object]:
    import onnxruntime
    import torch
    import transformers

    versions = {
        module.__name__: module.__version__ for module in (onnxruntime, torch, transformers)
    }
    return {"cpus": cpus(), "platform": platform.platform(), **versions}


def table(medians: dict[str, dict[str, float]], ratios: dict[str, dict[str, float]]) -> str:
    heads = ("theirs", "int8", "fp32", "int8 x", "fp32 x", "goal")
    rows = [["", *heads]]
    for name in (*GOALS, "cold_start_from_bucket"):
        values = [_cell(name, medians[side].get(name)) for side in ("theirs", *PRECISIONS)]
        times = [f"{ratios[side][name]:.1f}" if name in GOALS else "" for side in PRECISIONS]
        rows.append([name, *values, *times, str(GOALS.get(name, ""))])
    return "\n".join(f"{row[0]:24}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows)


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value / 1e6:.0f} MB" if name == "memory" else f"{value * 1e3:.1f} ms"


if __name__ == "__main__":
    main()

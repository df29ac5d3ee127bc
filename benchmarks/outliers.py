"""Eight bits on a model with outlier channels, as real CLIPs have them: `make bench-outliers`.

Plants outliers in the demo model that leave its function as it is (planting.py). Each row compares
fp32, 8 bits without smoothing, and 8 bits as the exporter writes them: R@1 of 1,000 held-out
scenes, noise on these, and time. Prints a table; writes build/bench/outliers.json.
"""

from __future__ import annotations

import functools
import json
import shutil
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.planting import planted
from benchmarks.precision import table
from cli import ROOT
from clipsearch.images.preprocess import preprocess
from clipsearch.model.bundle import Bundle
from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import TOWERS, Precision, Tower
from model_export.checkpoint import Checkpoint
from model_export.demo.evaluate import DESCRIPTIONS, PICTURE_SIZE, SEED, held_out_scenes, recall
from model_export.demo.export import demo_checkpoint
from model_export.demo.scenes import draw
from model_export.eight_bits.recipe import write_in_eight_bits
from model_export.ranking import noise
from model_export.towers.plan import Precisions
from model_export.write_bundle import write_bundle

FOLDER = ROOT / "build" / "bench" / "outliers"
RESULT = FOLDER.with_suffix(".json")
ALL = ("hidden", "channels", "constants")
ROWS = (
    ((), 1),
    *((("channels",), size) for size in (16, 64)),
    *(((kind,), 64) for kind in ("constants", "hidden")),
    (ALL, 64),
)
INT8: Mapping[Tower, Precision] = dict.fromkeys(TOWERS, "int8")
REPEATS = 400  # of each timing; the variants take turns


def main() -> None:
    scenes, pictures = _scenes()
    results = {}
    for kinds, size in ROWS:
        name = f"{_label(kinds)}, s = {size}"
        print(name, flush=True)
        results[name] = _row(planted(demo_checkpoint(), kinds, size), scenes, pictures)
    RESULT.write_text(json.dumps(results, indent=1) + "\n")
    measures = next(iter(results.values()))
    print(table({m: {name: row[m] for name, row in results.items()} for m in measures}, "{:.3f}"))
    print(f"written to {RESULT}")


def _label(kinds: tuple[str, ...]) -> str:
    return "all three" if kinds == ALL else ", ".join(kinds) or "none"


def _scenes() -> tuple[list[str], list[Image.Image]]:
    """The descriptions and pictures of `make evaluate-demo`, these in the size of the model."""
    rng = np.random.default_rng(SEED)
    scenes = held_out_scenes(DESCRIPTIONS, rng)
    size = demo_checkpoint().preprocessing.size
    squares = (preprocess(draw(scene, PICTURE_SIZE, rng), size) for scene in scenes)
    return [scene.describe() for scene in scenes], [Image.fromarray(each) for each in squares]


def _row(checkpoint: Checkpoint, texts: list[str], pictures: list[Image.Image]) -> dict[str, Any]:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)

    def write(changed: Checkpoint, folder: Path, precision: Mapping[Tower, Precisions]) -> Bundle:
        return write_bundle(changed, folder, folder.name, precision)

    write(checkpoint, FOLDER / "fp32", dict.fromkeys(TOWERS, "fp32"))
    write(checkpoint, FOLDER / "before", INT8)
    written = write_in_eight_bits(
        checkpoint, FOLDER / "fp32", FOLDER / "now", INT8, write, quick=False, say=print
    )
    encoders = {each: Encoder.from_folder(FOLDER / each) for each in ("fp32", "before", "now")}
    vectors = {
        each: (encoder.encode_text(texts).vectors, encoder.encode_image(pictures))
        for each, encoder in encoders.items()
    }
    row: dict[str, Any] = {
        f"R@1 {each}": recall(text, image, 1) for each, (text, image) in vectors.items()
    }
    for each in ("before", "now"):
        for i, tower in enumerate(("text", "image")):
            row[f"noise {tower} {each}"] = noise(vectors[each][i], vectors["fp32"][i])
    matrices = sum(found["matrices"] for found in written.report.values())
    exact = sum(len(found["in_fp32"]) for found in written.report.values())
    row["share of the matrices in 8 bits"] = 1 - exact / matrices
    return row | _times(encoders, texts[0], pictures[0])


def _times(encoders: Mapping[str, Encoder], text: str, picture: Image.Image) -> dict[str, float]:
    """Median milliseconds of one text and one picture."""
    calls: dict[str, Callable[[], Any]] = {}
    for each in ("before", "now"):
        calls[f"text ms {each}"] = functools.partial(encoders[each].encode_text, [text])
        calls[f"image ms {each}"] = functools.partial(encoders[each].encode_image, [picture])
    samples: dict[str, list[float]] = {name: [] for name in calls}
    order = np.random.default_rng(0)
    for _ in range(REPEATS):
        for name in order.permutation(list(calls)):  # what ran before has an influence
            start = time.perf_counter()
            calls[name]()
            samples[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(times) for name, times in samples.items()}


if __name__ == "__main__":
    main()

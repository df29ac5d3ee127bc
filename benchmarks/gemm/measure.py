"""python -m benchmarks.gemm.measure ROUNDS: times with this process's ONNX Runtime, as JSON.

The tower and its products take turns, so that other programs slow both.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encoder import MODELS
from benchmarks.gemm.products import Products
from benchmarks.gemm.stages import stages
from clipsearch.cpus import cpus
from clipsearch.model.encoder import MAX_BATCH
from clipsearch.model.towers import ImageTower

Work = Callable[[], object]
Clock = Callable[[], float]

WARM = 2  # rounds that do not count


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds a picture, the least of all rounds. `limit`: only the products, as in the tower.

    `integer`: without rounding their inputs and scaling their results. `ratio`: the median of
    limit / tower, each from one round.
    """

    name: str
    tower: float
    limit: float
    integer: float
    ratio: float

    @property
    def share(self) -> float:
        """How much of the tower's time are its products."""
        return self.limit / self.tower


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Of the bundle in `folder`: products, times of one picture and of a batch, and stages."""
    products = Products(folder / "image.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, _shape(folder), np.uint8)
    alone, crowd = _works(folder, products, pixels, 1), _works(folder, products, pixels, cpus())
    joined, feed = products.session(1, pictures=MAX_BATCH)
    with ThreadPoolExecutor(cpus()) as pool:

        def batch(work: Work) -> Work:
            return lambda: list(pool.map(lambda _: work(), range(MAX_BATCH)))

        cases = [
            in_turns("one picture, one thread", alone, rounds, time.process_time),
            in_turns("one picture, all cores", crowd, rounds, time.perf_counter),
            in_turns(
                f"{MAX_BATCH} pictures, each on a core",
                [batch(work) for work in alone],
                max(3, rounds // 4),
                time.process_time,
                MAX_BATCH,
            ),
        ]
    seconds = least(lambda: joined.run(None, feed), max(3, rounds // 4), time.process_time)
    return {
        "products": len(products.all),
        "macs": products.macs,
        "shapes": sorted({(p.rows, p.inner, p.columns) for p in products.all}),
        "cases": [asdict(case) for case in cases],
        "joined": seconds / MAX_BATCH,
        "stages": stages(folder, max(3, rounds // 3)),
        "vector": ImageTower(folder, 1).encode(pixels)[0].tolist(),
    }


def in_turns(name: str, works: list[Work], rounds: int, clock: Clock, pictures: int = 1) -> Timed:
    """`works`: the tower, its products, its integer products; each encodes `pictures`."""
    taken: list[list[float]] = []
    for _ in range(rounds + WARM):
        taken.append([_once(work, clock) / pictures for work in works])
    tower, limit, integer = np.array(taken[WARM:]).T
    ratio = float(np.median(limit / tower))
    return Timed(name, float(tower.min()), float(limit.min()), float(integer.min()), ratio)


def least(work: Work, rounds: int, clock: Clock) -> float:
    return min([_once(work, clock) for _ in range(rounds + WARM)][WARM:])


def _works(folder: Path, products: Products, pixels: Any, threads: int) -> list[Work]:
    tower = ImageTower(folder, threads)
    limit, feed = products.session(threads)
    integer, bytes_ = products.session(threads, integer=True)
    return [
        lambda: tower.encode(pixels),
        lambda: limit.run(None, feed),
        lambda: integer.run(None, bytes_),
    ]


def _once(work: Work, clock: Clock) -> float:
    began = clock()
    work()
    return clock() - began


def _shape(folder: Path) -> tuple[int, int, int, int]:
    size = json.loads((folder / "model.json").read_text())["image_size"]
    return 1, size, size, 3


if __name__ == "__main__":
    print(json.dumps(measure(MODELS / "int8", int(sys.argv[1]))))

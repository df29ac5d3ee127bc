"""Draws the demo pictures: JPEG files named after their content.

    python -m cli.demo_photos build/demo-photos --count 500

Picture n is the same on every machine and in every run. Existing pictures are kept.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from pathlib import Path

import numpy as np

from cli.common.progress import bar
from model_export.demo.drawing import COLOURS, PLACES, THINGS
from model_export.demo.scenes import MAX_COUNT, Group, Scene, draw, random_group

SEED = 20
SIZE = 480  # pixels, square
QUALITY = 88  # JPEG


def demo_scene(number: int) -> Scene:
    """Scene `number`. Any 324 in a row show every thing in every colour and count."""
    kinds = list(itertools.product(THINGS, COLOURS, range(1, MAX_COUNT + 1)))
    order = np.random.default_rng(SEED).permutation(len(kinds))
    groups = [Group(*kinds[order[number % len(kinds)]])]
    rng = np.random.default_rng([SEED, number])
    if rng.random() < 0.5:
        others = [thing for thing in THINGS if thing != groups[0].thing]
        groups.append(random_group(rng, others[rng.integers(len(others))]))
    return Scene(tuple(sorted(groups)), PLACES[rng.integers(len(PLACES))])


def file_name(number: int) -> str:
    return f"{demo_scene(number).describe().replace(' ', '-')}-{number:04}.jpg"


def draw_demo_photo(folder: Path, number: int) -> None:
    """Write picture `number`. The final name never has a part of a picture."""
    picture = draw(demo_scene(number), SIZE, np.random.default_rng([SEED, number, 1]))
    final = folder / file_name(number)
    partial = final.with_name(f".{final.name}.partial")
    picture.save(partial, "JPEG", quality=QUALITY)
    partial.replace(final)


def draw_demo_photos(folder: Path, count: int) -> int:
    """Draw the missing pictures of 0 to `count` - 1 into `folder`; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    there = set(os.listdir(folder))
    missing = [number for number in range(count) if file_name(number) not in there]
    for number in bar("drawing", missing):
        draw_demo_photo(folder, number)
    return len(missing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    drawn = draw_demo_photos(options.folder, options.count)
    print(f"{drawn} drawn, {options.count - drawn} existed", file=sys.stderr)


if __name__ == "__main__":
    main()

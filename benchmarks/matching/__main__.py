"""Print how well matches are told from others: the table of docs/benchmarks.md.

python -m benchmarks.matching [--photos 4000] [--bundle FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.matching.figures import figures
from benchmarks.matching.world import make_world
from model_export.demo import BUNDLE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=4_000)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    arguments = parser.parse_args()
    world = make_world(arguments.bundle, arguments.photos)
    good = world.texts.is_good
    print(f"{arguments.photos:,} photos, {good.sum():,} texts with 1 to 200 answers")
    print("\n| | measured | goal |\n| --- | --- | --- |")
    for figure in figures(world):
        print(f"| {figure.what} | {figure.value:.3f} | {figure.goal} |")


if __name__ == "__main__":
    main()

"""python -m benchmarks.peers [--vectors FILE] [--only PEER …] …: see the package."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.peers.environments import FLAWS, Environment, environments
from benchmarks.peers.measure import COUNTS, Measured, Side, measure
from benchmarks.peers.report import report_of, table
from benchmarks.peers.world import make_world
from cli import ROOT
from clipsearch.cpus import cpus

RESULT = ROOT / "build" / "bench" / "peers.json"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench-peers", description="measure beside peers")
    parser.add_argument("--vectors", type=Path, help="an .npz as for make bench-index")
    parser.add_argument("--more-texts", type=Path, help="an .npz with more text_vectors")
    parser.add_argument("--photos", type=int, default=118_287)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument(
        "--measures", nargs="+", choices=list(COUNTS), default=list(COUNTS), help="default: all"
    )
    parser.add_argument("--to", type=Path, default=RESULT, help="the JSON to write")
    parser.add_argument("--only", nargs="+", metavar="PEER", help="measure these peers only")
    options = parser.parse_args(arguments)
    given = make_world(options.photos, options.vectors, options.more_texts)
    compileall.compile_dir(ROOT / "functions", quiet=1)  # as in the deployment's build
    ready: list[Environment] = []
    flaws = dict(FLAWS)
    for environment in tqdm(environments(options.only), desc="environments"):
        flaw = environment.install()
        if flaw is None:
            ready.append(environment)
        else:
            flaws[environment.name] = flaw
    sides = [Side("ours", sys.executable)]
    sides += [Side(name, str(one.python)) for one in ready for name in one.sides]
    about = {
        "versions": {one.name: one.versions() for one in ready},
        "machine": {"cpus": cpus(), "platform": platform.platform()},
        "photos": options.photos,
        "rounds": options.rounds,
    }

    def save(measured: Measured) -> dict[str, Any]:
        cannot = {**flaws, **measured.flaws}
        report = {**report_of(measured), "cannot": cannot, "load": os.getloadavg()[0], **about}
        options.to.write_text(json.dumps(report, indent=1) + "\n")
        return report

    report = save(measure(sides, given, options.rounds, options.measures, save))
    print(table(report))
    print(f"written to {options.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

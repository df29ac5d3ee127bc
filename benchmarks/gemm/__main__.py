"""python -m benchmarks.gemm [--rounds N]: see the package."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encoder import machine, make_models
from benchmarks.gemm.instructions import UnknownBuild, levels, limited
from benchmarks.gemm.report import table
from cli import ROOT

RESULT = ROOT / "build" / "bench" / "gemm.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-gemm", description="measure the image tower")
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    make_models()
    before = os.getloadavg()[0]
    report: dict[str, Any] = {"levels": {}, "left out": {}, "machine": machine()}
    known = levels()
    report["levels"][known[0].name if known else "this processor"] = measured(rounds)
    for level in known[1:]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                report["levels"][level.name] = measured(rounds, limited(level, Path(folder)))
            except UnknownBuild as error:
                report["left out"][level.name] = str(error)
    vectors = [np.array(level.pop("vector")) for level in report["levels"].values()]
    report["cosines"] = [float(vectors[0] @ vector) for vector in vectors]
    report["load"] = [before, os.getloadavg()[0]]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    print(f"written to {RESULT}")


def measured(rounds: int, onnxruntime: Path | None = None) -> dict[str, Any]:
    """`onnxruntime`: where that package is, if not the installed one."""
    path = [str(onnxruntime)] if onnxruntime else []
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gemm.measure", str(rounds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()

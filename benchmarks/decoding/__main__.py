"""Measure peak memory and seconds of the worst inputs, each in its own process (`make
bench-decoding`). The memory is that of decoding, without the process and the file."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.decoding.inputs import INPUTS, encoded, scene
from cli import ROOT

RESULTS = ROOT / "build" / "bench" / "decoding.json"


def main() -> int:
    found: dict[str, Any] = {}
    print(f"{'input':44}{'file':>10}{'peak':>10}{'time':>9}  outcome")
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "small")
        for name, make in INPUTS.items():
            file = Path(folder, "photo")
            file.write_bytes(make())
            kind = name.split(",")[0].split()[0].replace("HEIC", "HEIF").upper()
            small.write_bytes(encoded(scene(size=(64, 48)), kind))
            one = found[name] = _measured(file, small)
            size = file.stat().st_size / 1e6
            print(
                f"{name:44}{size:7.2f} MB{one['peak_mb']:7.0f} MB{one['seconds']:7.2f} s"
                f"  {one['outcome'][:60]}",
                flush=True,
            )
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1))
    return 0


def _measured(photo: Path, small: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.decoding.one", str(photo), str(small)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"peak_mb": 0.0, "seconds": 0.0, "outcome": f"died: {done.returncode}"}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    sys.exit(main())

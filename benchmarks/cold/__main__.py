"""python -m benchmarks.cold [--starts N]: see the package."""

from __future__ import annotations

import argparse
import compileall
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.cold import waterfall
from benchmarks.cold.waterfall import Phase
from benchmarks.system import servers
from benchmarks.system.__main__ import machine
from benchmarks.system.world import World, make_world
from cli import ROOT
from cli.common.processes import end_functions, start_server

RESULT = ROOT / "build" / "bench" / "cold.json"


@dataclass(frozen=True)
class Start:
    """`seconds` to the first answer; `cpu_seconds` of the server; cores that `others` used."""

    seconds: float
    cpu_seconds: float
    others: float
    phases: list[Phase]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-cold", description="draw a cold start")
    parser.add_argument("--photos", type=int, default=118_287, help="in the index")
    parser.add_argument("--starts", type=int, default=9)
    options = parser.parse_args()
    compileall.compile_dir(ROOT / "functions", quiet=1)  # as in the deployment's build
    world = make_world(options.photos)
    starts = [_start(world) for _ in range(options.starts)]
    best = min(starts, key=lambda start: start.seconds)
    report = {
        **asdict(best),
        "least_cpu_seconds": min(start.cpu_seconds for start in starts),
        "starts": [(start.seconds, start.cpu_seconds, start.others) for start in starts],
        "options": vars(options),
        "machine": machine(),
    }
    RESULT.write_text(json.dumps(report, indent=1) + "\n")
    print(waterfall.drawn(best.phases, best.seconds))
    print(f"first answer {best.seconds:.2f} s; other processes used {best.others:.1f} cores")
    print(f"CPU of the server, least of {len(starts)}: {report['least_cpu_seconds']:.2f} s")
    print(f"written to {RESULT}")


def _start(world: World) -> Start:
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        begin = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.cold.traced"]
        source = ["--source", "functions/main.py", "--target", "search"]
        settings = {
            **servers.our_settings(world.bucket),
            "COLD_TRACE": str(trace),
            "COLD_BEGIN": repr(begin),
        }
        function = start_server(
            "search", [*command, *source], servers.free_port(), settings, Path(folder) / "log"
        )
        try:
            meter = servers.Meter(function)
            seconds = servers.first_answer(function, "ours", begin)
            # the meter starts after Popen, so the first milliseconds of CPU may be missing
            cpu, others = meter.read()
            return Start(seconds, cpu, others, waterfall.phases_of(trace.read_text(), begin))
        finally:
            end_functions([function])


if __name__ == "__main__":
    main()

"""python -m benchmarks.system [--photos N] [--seconds S] …: see the package."""

from __future__ import annotations

import argparse
import compileall
import importlib.metadata
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.index.data import Data
from benchmarks.system import crowd, servers
from benchmarks.system.asking import KINDS, SIDES, Kind, Side
from benchmarks.system.client import Job, LoadError, run
from benchmarks.system.ingest import IngestError, OurIngest, their_rate
from benchmarks.system.report import (
    QUIET,
    THEIR_WAY,
    Load,
    Measured,
    Turn,
    quietest,
    report_of,
    table,
)
from benchmarks.system.servers import Meter
from benchmarks.system.world import World, make_world
from cli import ROOT
from cli.common.errors import RunError
from cli.common.processes import Function, end_functions
from clipsearch.cpus import cpus
from clipsearch.errors import ClipsearchError

RESULT = ROOT / "build" / "bench" / "system.json"
STARTS = 7
WARM_UP = 1.0  # seconds of warm-up for each kind
MOST = 20_000  # requests in one turn
# Seconds. Each kind gets one turn in any case, and more if other processes disturbed it.
LOAD_BUDGET = 270.0
INGEST_BUDGET = 100.0
VERSIONS = (
    *("faiss-cpu", "fastapi", "functions-framework", "gunicorn", "numpy", "onnxruntime"),
    *("pillow", "tokenizers", "torch", "transformers", "uvicorn"),
)


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if not Path("/proc/self/status").exists():
        print("make bench reads memory and CPU times in /proc: it needs Linux", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so the servers end too
    try:
        measured, beside = _measure(make_world(options.photos, _given(options)), options)
    except (ClipsearchError, IngestError, LoadError, OSError, RunError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped; no results were written", file=sys.stderr)
        return 130
    report = {
        **report_of(measured),
        "crowd": beside,
        "options": vars(options),
        "machine": machine(),
    }
    RESULT.write_text(json.dumps(report, indent=1, default=str) + "\n")
    print(table(report))
    print("\n".join(crowd.lines(beside)))
    print(f"written to {RESULT}")
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description="compare the whole system with the original design"
    )
    parser.add_argument("--photos", type=_positive, default=118_287, help="in the index")
    parser.add_argument(
        "--seconds", type=_seconds, default=5, help="seconds of each turn of a load"
    )
    parser.add_argument(
        "--turns", type=_positive, default=6, help="maximum of turns, until one is quiet"
    )
    parser.add_argument("--vectors", type=Path, help=".npz with image_vectors and text_vectors")
    parser.add_argument("--more-texts", type=Path, help=".npz with more text_vectors")
    parser.add_argument("--clients", type=_positive, nargs="+", default=[1, 8, 32])
    parser.add_argument("--ingest", type=_positive, default=48, help="photos in a turn of ingest")
    return parser.parse_args(arguments)


def _given(options: argparse.Namespace) -> Data | None:
    return Data.load(options.vectors, options.more_texts) if options.vectors else None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 600, not {text!r}")
    return seconds


def _measure(world: World, options: argparse.Namespace) -> tuple[Measured, dict[str, Any]]:
    compileall.compile_dir(ROOT / "functions", quiet=1)  # as in the deployment's build
    with tempfile.TemporaryDirectory() as folder:
        with ExitStack() as ends:
            first_answers, functions = _start(world, Path(folder), ends)
            loads = _load(world, functions, options)
            beside = crowd.measure(partial(_job, world, functions), 2 * options.seconds)
            memory = {side: servers.peak_memory(functions[side]) for side in SIDES}
        rates = _ingest(world, Path(folder), options)
    return Measured(first_answers, loads, memory, rates, cpus()), beside


def _start(
    world: World, folder: Path, ends: ExitStack
) -> tuple[dict[Side, list[Turn]], dict[Side, Function]]:
    """The seconds of each start, and the server of the last start, which keeps running."""
    turns: dict[Side, list[Turn]] = defaultdict(list)
    functions: dict[Side, Function] = {}
    for _ in tqdm(range(STARTS), desc="first answer", unit="turn"):
        for side in SIDES:
            end_functions([functions[side]] if side in functions else [])
            begin = time.monotonic()
            function = functions[side] = servers.start(side, world, folder / f"{side}.log")
            ends.callback(end_functions, [function])
            meter = Meter(function)
            seconds = servers.first_answer(function, side, begin)
            turns[side].append(Turn(seconds, meter.read()[1]))
    return turns, functions


def _load(
    world: World, functions: dict[Side, Function], options: argparse.Namespace
) -> dict[tuple[Side, Kind, int], list[Load]]:
    loads: dict[tuple[Side, Kind, int], list[Load]] = defaultdict(list)

    def turn(side: Side, kind: Kind, clients: int, seconds: float, seed: int) -> None:
        job = _job(world, functions, side, kind, clients, seconds, seed)
        meter = Meter(functions[side])
        outcome = run(job)
        if seed:
            loads[side, kind, clients].append(Load(outcome, *meter.read()))

    for side in SIDES:
        for kind in KINDS:
            turn(side, kind, 1, WARM_UP, 0)
    kinds = [(kind, clients) for clients in sorted(set(options.clients)) for kind in KINDS]
    turns = kinds * options.turns
    give_up = time.monotonic() + LOAD_BUDGET
    for seed, (kind, clients) in enumerate(tqdm(turns, desc="load", unit="turn"), 1):
        for side in SIDES:
            if (side, kind) == ("theirs", "like"):  # theirs would get a picture again
                continue
            if not is_enough(loads[side, kind, clients], give_up):
                turn(side, kind, clients, options.seconds, seed)
    return loads


def _job(
    world: World,
    functions: dict[Side, Function],
    side: Side,
    kind: Kind,
    clients: int,
    seconds: float,
    seed: int = -1,
) -> Job:
    port, pictures = functions[side].port, [str(path) for path in world.pictures]
    return Job(side, kind, port, clients, seconds, MOST, seed, world.names, pictures)


def is_enough(turns: Sequence[Turn | Load], give_up: float) -> bool:
    """Whether one turn was quiet, or there is no time for another."""
    if not turns:
        return False
    return quietest(turns).others <= QUIET or time.monotonic() > give_up


def _ingest(world: World, folder: Path, options: argparse.Namespace) -> dict[str, list[Turn]]:
    rates: dict[str, list[Turn]] = defaultdict(list)
    with ExitStack() as ends:
        ours = OurIngest(folder / "ingest", world.pictures, ends)
        ways = {
            THEIR_WAY: partial(their_rate, world, options.ingest),
            "events": partial(ours.by_events, 2 * options.ingest),
            "reconcile": partial(ours.by_reconciling, 2 * options.ingest),
        }
        give_up = time.monotonic() + INGEST_BUDGET
        for way in tqdm([*ways] * options.turns, desc="ingest", unit="turn"):
            if not is_enough(rates[way], give_up):
                meter = Meter(ours.function)
                value = ways[way]()
                rates[way].append(Turn(value, meter.read()[1]))
    return rates


def machine() -> dict[str, Any]:
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {
        "cores": cpus(),
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.processor(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        **{name: importlib.metadata.version(name) for name in VERSIONS},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

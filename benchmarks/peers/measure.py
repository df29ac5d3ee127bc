"""All sides in turns: what they find, seconds, CPU seconds, starts and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.index.data import Vectors
from benchmarks.index.recall import EQUAL
from benchmarks.peers.given import LIMIT, Given
from benchmarks.peers.world import bounds_of
from cli import ROOT

WORKER = Path(__file__).with_name("worker.py")
RECALL = 0.99
FOR_RECALL = 240  # queries
# What each side does. A side that searches has EFFORTS.
WHATS = {
    "ours": ("text", "picture", "photos", "search", "answer"),
    "flat": ("search",),
    "hnsw": ("search",),
    "unum": ("search",),
    "lance": ("search",),
    "auto": ("search",),
    "rclips": ("search",),
    "clipr": ("text", "picture", "photos", "search", "answer"),
    "fastembeds": ("text", "picture", "photos"),
    "fastembeds_fp32": ("text", "picture", "photos"),
    "sbert": ("text", "picture", "photos"),
}
BUILDS = ("flat", "hnsw", "unum", "lance", "auto", "rclips", "clipr")
COUNTS = {"text": 20, "picture": 8, "photos": 1, "search": 30, "answer": 10}  # in a turn
WARM_UP = {"text": 3, "picture": 2, "photos": 1, "search": 3, "answer": 3}
SLOW = 0.05  # seconds; a side slower than this searches for fewer queries
FIRST = ("text", "search", "answer")
QUIET = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}


@dataclass(frozen=True)
class Side:
    """`python`: of its environment."""

    name: str
    python: str


@dataclass
class Measured:
    """By (what, side): all seconds, CPU seconds; of new processes: seconds, CPU seconds, and peaks
    in bytes. By side: recall at each effort up to the chosen one, seconds to build. `flaws`: why
    not, by side. `others`: cores that other processes used, by what."""

    seconds: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    starts: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    start_cpu: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    peaks: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    recalls: dict[str, list[tuple[Any, float]]] = field(default_factory=dict)
    builds: dict[str, float] = field(default_factory=dict)
    flaws: dict[str, str] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)


class SideError(Exception):
    """Why a side cannot be measured."""


class Worker:
    """A side that does one thing, in a process of its own."""

    def __init__(self, side: Side, given: Given, what: str, effort: Any) -> None:
        command = _command(side, given, "serve", what, json.dumps(effort))
        self._log = given.own("logs") / f"{side.name}-{what}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=_environment(),
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._read()

    def ask(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Raises SideError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(list(numbers)) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise SideError(_last_line(self._log)) from error
        answer: dict[str, Any] = self._read()
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise SideError(_last_line(self._log))
        return json.loads(line)


def measure(
    sides: Sequence[Side],
    given: Given,
    rounds: int,
    whats: Collection[str],
    save: Callable[[Measured], object],
) -> Measured:
    """`save` gets what is measured so far, after each of `whats`."""
    measured = Measured()
    efforts: dict[str, Any] = {}
    sides = [side for side in sides if set(WHATS[side.name]) & set(whats)]
    if {"search", "answer"} & set(whats):
        sides = [side for side in sides if _is_built(side, given, measured)]
    searching = [side for side in sides if "search" in WHATS[side.name] and "search" in whats]
    bounds = bounds_of(given) if searching else np.zeros(0, np.float32)
    for side in tqdm(searching, desc="recall"):
        try:
            efforts[side.name] = _choose_effort(side, given, bounds, measured)
        except SideError as error:
            measured.flaws[f"{side.name}: search"] = str(error)
    for what in [what for what in COUNTS if what in whats]:
        begin = _Load()
        _in_turns(what, sides, efforts, given, rounds, measured)
        save(measured)
        if what in FIRST:
            _start(what, sides, efforts, given, rounds, measured)
        measured.others[what] = begin.others()
        save(measured)
    return measured


def recall_of(
    rows: Sequence[Sequence[int]], queries: Vectors, vectors: Vectors, bounds: Vectors
) -> float:
    """The share of `rows` (q, LIMIT) whose exact score is at most EQUAL below the query's bound.

    A row that is named twice counts once.
    """
    found = 0
    for given, query, bound in zip(rows, queries, bounds, strict=True):
        scores = vectors[sorted(set(given))] @ query
        found += min(LIMIT, int(np.count_nonzero(scores >= bound - EQUAL)))
    return found / LIMIT / len(queries)


def _choose_effort(side: Side, given: Given, bounds: Vectors, measured: Measured) -> Any:
    """The first effort that finds enough, or the last."""
    import importlib

    vectors, queries = given.vectors(), given.queries()
    tried = measured.recalls.setdefault(side.name, [])
    for effort in importlib.import_module(f"benchmarks.peers.sides.{side.name}").EFFORTS:
        worker = Worker(side, given, "search", effort)
        try:
            count = min(len(queries), FOR_RECALL)
            if max(worker.ask([0, 1])["seconds"]) > SLOW:
                count //= 10
            rows = worker.ask(range(count))["found"]
        finally:
            worker.close()
        recall = recall_of(rows, queries[:count], vectors, bounds[:count])
        tried.append((effort, recall))
        if recall >= RECALL:
            break
    return tried[-1][0]


def _in_turns(
    what: str,
    sides: Sequence[Side],
    efforts: dict[str, Any],
    given: Given,
    rounds: int,
    measured: Measured,
) -> None:
    """All sides that do this, each loaded and warm."""
    workers: dict[str, Worker] = {}
    counts: dict[str, int] = {}
    try:
        for side in sides:
            if what not in WHATS[side.name] or (what == "search" and side.name not in efforts):
                continue
            try:
                workers[side.name] = Worker(side, given, what, efforts.get(side.name))
                taken = workers[side.name].ask(range(WARM_UP[what]))["seconds"]
                is_slow = what != "photos" and min(taken) > SLOW
                counts[side.name] = COUNTS[what] // 4 if is_slow else COUNTS[what]
            except SideError as error:
                measured.flaws[f"{side.name}: {what}"] = str(error)
                workers.pop(side.name, None)
        for turn in tqdm(range(rounds), desc=what, unit="round"):
            for name, worker in workers.items():
                begin = turn * COUNTS[what]
                answer = worker.ask(range(begin, begin + counts[name]))
                measured.seconds[what, name] += answer["seconds"]
                measured.cpu[what, name] += answer["cpu"]
    finally:
        for worker in workers.values():
            worker.close()


def _start(
    what: str,
    sides: Sequence[Side],
    efforts: dict[str, Any],
    given: Given,
    rounds: int,
    measured: Measured,
) -> None:
    """New processes in turns. Their files are in the page cache: the warm sides loaded them."""
    able = [side for side in sides if (what, side.name) in measured.seconds]
    for _ in tqdm(range(rounds), desc=f"first {what}", unit="round"):
        for side in able:
            begin = time.monotonic()
            command = _command(side, given, "first", what, json.dumps(efforts.get(side.name)))
            done = subprocess.run(
                command, cwd=ROOT, env=_environment(), text=True, capture_output=True, check=True
            )
            answer = json.loads(done.stdout)
            measured.starts[what, side.name].append(answer["at"] - begin)
            measured.start_cpu[what, side.name].append(answer["cpu"])
            measured.peaks[what, side.name].append(answer["peak"])


def _is_built(side: Side, given: Given, measured: Measured) -> bool:
    """Whether its index exists now. It is built once for each interpreter's side."""
    if side.name not in BUILDS:
        return True
    done = given.own(side.name) / "built.json"
    if not done.exists():
        command = _command(side, given, "build")
        result = subprocess.run(
            command, cwd=ROOT, env=_environment(), text=True, capture_output=True
        )
        if result.returncode:
            lines = result.stderr.strip().splitlines()
            measured.flaws[f"{side.name}: search"] = lines[-1] if lines else "it ended"
            return False
        done.write_text(result.stdout)
    measured.builds[side.name] = json.loads(done.read_text())["seconds"]
    return True


def _command(side: Side, given: Given, *rest: str) -> list[str]:
    return [side.python, str(WORKER), side.name, given.folder, *rest]


def _environment() -> dict[str, str]:
    return {**os.environ, **QUIET}


def _last_line(log: Path) -> str:
    lines = log.read_text().strip().splitlines()
    return lines[-1] if lines else "it ended"


class _Load:
    """CPU use of other processes from now on. Our processes count once they have ended."""

    def __init__(self) -> None:
        self._begin, self._before = time.monotonic(), self._seconds()

    def others(self) -> float:
        """In cores, on average."""
        everybody, ours = (
            now - then for now, then in zip(self._seconds(), self._before, strict=True)
        )
        return max(0.0, (everybody - ours) / (time.monotonic() - self._begin))

    def _seconds(self) -> tuple[float, float]:
        if sys.platform != "linux":
            return 0.0, 0.0
        with open("/proc/stat") as stat:
            user, nice, system, _, _, *interrupts = map(int, stat.readline().split()[1:9])
        ticks = os.sysconf("SC_CLK_TCK")
        return (user + nice + system + sum(interrupts)) / ticks, sum(os.times()[:4])

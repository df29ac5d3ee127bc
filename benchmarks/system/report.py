"""Figures, ratios and a table from the measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks.system.asking import KINDS, SIDES, Kind, Side
from benchmarks.system.client import Outcome

PERCENTILES = (50, 95, 99)
QUIET = 0.1  # cores used by other processes; a turn above this is marked
BUSY = " (busy)"
EXPLANATION = """\
(busy): other processes used the machine in every turn. That slows PyTorch, whose threads wait for
each other, more than ours. Measure again on a quiet machine."""

# How many times better ours is: theirs divided by ours, and for rates ours divided by theirs.
GOALS = {
    "first_answer": 10,
    "text_p50": 10,
    "throughput": 8,
    "throughput_picture": 8,
    "picture_p99": 2,
    "memory": 3,
    "ingest": 4,
    "ingest_reconcile": 4,
}
RATES = ("throughput", "throughput_picture", "ingest", "ingest_reconcile")
THEIR_WAY = "loop"
LABELS = {
    "first_answer": "start to first answer",
    "text_p50": "a text, p50, 1 client",
    "throughput": "texts/s per core, most clients",
    "throughput_picture": "pictures/s per core, most clients",
    "picture_p99": "a picture, p99, most clients",
    "memory": "most memory",
    "ingest": "photos/s per core, by events",
    "ingest_reconcile": "photos/s per core, reconcile",
}


T = TypeVar("T", bound="Turn | Load")


@dataclass(frozen=True)
class Turn:
    """A measurement, and the number of cores that other processes used meanwhile."""

    value: float
    others: float


@dataclass(frozen=True)
class Load:
    """One turn: one kind of request, a number of clients, one side."""

    outcome: Outcome
    cpu_seconds: float
    others: float

    def figures(self, cores: int) -> dict[str, float]:
        latencies = self.outcome.latencies
        return {
            **{f"p{p}_ms": 1e3 * percentile(latencies, p) for p in PERCENTILES},
            "per_second_per_core": len(latencies) / self.outcome.seconds / cores,
            "cpu_ms": 1e3 * self.cpu_seconds / len(latencies),
            "answered": len(latencies),
            "turned_away": self.outcome.turned_away,
            "others": self.others,
        }


@dataclass
class Measured:
    """All turns by side. `loads` are also by kind and clients, `rates` (photos per second) by way.
    The turn with the least load from other processes counts."""

    first_answers: dict[Side, list[Turn]]
    loads: dict[tuple[Side, Kind, int], list[Load]]
    memory: dict[Side, int]
    rates: dict[str, list[Turn]]
    cores: int


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile of `values` by nearest rank."""
    if not values:
        raise ValueError("percentile needs at least one value")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def quietest(turns: Sequence[T]) -> T:
    return min(turns, key=lambda turn: turn.others)


def report_of(measured: Measured) -> dict[str, Any]:
    cores = measured.cores
    loads = {key: quietest(turns) for key, turns in measured.loads.items()}
    starts = {side: quietest(turns) for side, turns in measured.first_answers.items()}
    rates = {way: quietest(turns) for way, turns in measured.rates.items()}
    figures: dict[str, dict[str, Any]] = {
        side: {
            "first_answer_s": starts[side].value,
            "first_answer_others": starts[side].others,
            "memory_bytes": measured.memory[side],
            "load": _by_kind(loads, side, cores),
            "ingest_per_second_per_core": {
                way: turn.value / cores
                for way, turn in rates.items()
                if (way == THEIR_WAY) == (side == "theirs")
            },
            "ingest_others": {way: turn.others for way, turn in rates.items()},
        }
        for side in SIDES
    }
    busy = {name: others for name, others in _others(figures).items() if others > QUIET}
    return {"ratios": _ratios(figures), "goals": GOALS, **figures, "busy": busy}


def _by_kind(
    loads: Mapping[tuple[Side, Kind, int], Load], side: Side, cores: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Figures by kind and by clients, fewest clients first."""
    found: dict[str, dict[str, dict[str, float]]] = {kind: {} for kind in KINDS}
    for (whose, kind, clients), load in sorted(loads.items(), key=lambda item: item[0][2]):
        if whose == side:
            found[kind][str(clients)] = load.figures(cores)
    if side == "theirs":
        found["like"] = found["picture"]  # its user has to send the picture
    return found


def _others(figures: Mapping[str, dict[str, Any]]) -> dict[str, float]:
    """Cores that other processes used while either side was measured, by the keys of GOALS."""
    found: dict[str, float] = {}
    for side in figures.values():
        texts, pictures = side["load"]["text"], side["load"]["picture"]
        few, many = min(texts, key=int), max(texts, key=int)
        ingest = side["ingest_others"]
        of_side = {
            "first_answer": side["first_answer_others"],
            "text_p50": texts[few]["others"],
            "throughput": texts[many]["others"],
            "throughput_picture": pictures[many]["others"],
            "picture_p99": pictures[many]["others"],
            "ingest": max(ingest[THEIR_WAY], ingest["events"]),
            "ingest_reconcile": max(ingest[THEIR_WAY], ingest["reconcile"]),
        }
        found = {name: max(others, found.get(name, 0)) for name, others in of_side.items()}
    return found


def _ratios(figures: Mapping[str, dict[str, Any]]) -> dict[str, float]:
    theirs, ours = (goal_values(figures[side]) for side in SIDES)
    return {
        name: ours[name] / theirs[name] if name in RATES else theirs[name] / ours[name]
        for name in GOALS
    }


def goal_values(side: Mapping[str, Any]) -> dict[str, float]:
    """The figures of one side, by the keys of GOALS."""
    texts, pictures = side["load"]["text"], side["load"]["picture"]
    few, many = min(texts, key=int), max(texts, key=int)
    rates = side["ingest_per_second_per_core"]
    return {
        "first_answer": side["first_answer_s"],
        "text_p50": texts[few]["p50_ms"] / 1e3,
        "throughput": texts[many]["per_second_per_core"],
        "throughput_picture": pictures[many]["per_second_per_core"],
        "picture_p99": pictures[many]["p99_ms"] / 1e3,
        "memory": side["memory_bytes"],
        "ingest": rates.get("events") or rates[THEIR_WAY],
        "ingest_reconcile": rates.get("reconcile") or rates[THEIR_WAY],
    }


def table(report: dict[str, Any]) -> str:
    theirs, ours = report["theirs"], report["ours"]
    lines = [_row("clients", "", "theirs", "", "", "", "ours", "", "", "", "", "p50", "req/s")]
    names = ("p50 ms", "p95", "p99", "req/s/core")
    lines.append(_row("", "", *names, *names, "503s", "x", "x"))
    for kind in KINDS:
        for clients, mine in ours["load"][kind].items():
            other = theirs["load"][kind][clients]
            lines.append(
                _row(
                    clients,
                    kind,
                    *_cells(other),
                    *_cells(mine),
                    f"{mine['turned_away']:.0f}",
                    f"{other['p50_ms'] / mine['p50_ms']:.1f}",
                    f"{mine['per_second_per_core'] / other['per_second_per_core']:.1f}",
                )
                + (BUSY if max(mine["others"], other["others"]) > QUIET else "")
            )
    lines += ["", *goal_lines(report)]
    if any(line.endswith(BUSY) for line in lines):
        lines += ["", EXPLANATION]
    return "\n".join(lines)


def goal_lines(report: dict[str, Any]) -> list[str]:
    theirs, ours = (goal_values(report[side]) for side in SIDES)
    lines = [f"{'':34}{'theirs':>12}{'ours':>12}{'ratio':>8}{'goal':>8}"]
    for name, goal in report["goals"].items():
        ratio = report["ratios"][name]
        cells = f"{_said(name, theirs[name]):>12}{_said(name, ours[name]):>12}{ratio:>8.1f}"
        verdict = "reached" if ratio >= goal else "MISSED"
        busy = BUSY if name in report["busy"] else ""
        lines.append(f"{LABELS[name]:34}{cells}{f'>= {goal}':>8}  {verdict}{busy}")
    return lines


def _said(name: str, value: float) -> str:
    if name == "memory":
        return f"{value / 1e6:.0f} MB"
    if name in RATES:
        return f"{value:.1f}"
    return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def _cells(figures: dict[str, float]) -> list[str]:
    times = [f"{figures[f'p{p}_ms']:.1f}" for p in PERCENTILES]
    return [*times, f"{figures['per_second_per_core']:.1f}"]


def _row(clients: str, kind: str, *cells: str) -> str:
    return f"{clients:>8} {kind:9}" + "".join(f"{cell:>11}" for cell in cells)

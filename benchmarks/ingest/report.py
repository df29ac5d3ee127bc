"""Medians over the turns, and a table."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

GOAL = 0.9  # of the limit, for batches
MOST_WAITS = 2  # of an event
Turn = Mapping[str, Any]
PARTS = ("decode", "thumbnail", "encode", "facts")
NAMES = {
    "limit": "limit: decode, thumbnail, encode",
    "events": "events, one by one",
    "crowd": "events, four at once",
    "batch": "batch of a reconcile",
    "reconcile": "whole reconcile",
}


def figures(turns: Sequence[Turn]) -> dict[str, dict[str, Any]]:
    """By way, with `limit` first."""
    ways = [way for way in NAMES if way in turns[0]]
    limits = [turn[way]["limit"] for turn in turns for way in ways]
    limit: dict[str, Any] = {**_rates(limits), "of_limit": 1.0}
    limit["parts_ms"] = {
        part: statistics.median(1e3 * one[part] / one["count"] for one in limits) for part in PARTS
    }
    return {"limit": limit} | {way: _figures([turn[way] for turn in turns]) for way in ways}


def _rates(turns: Sequence[Turn]) -> dict[str, Any]:
    return {
        "photos_per_second": statistics.median(map(_rate, turns)),
        "cpu_ms": statistics.median(1e3 * one["cpu"] / one["count"] for one in turns),
        "wall_ms": statistics.median(1e3 * one["wall"] / one["count"] for one in turns),
    }


def _figures(turns: Sequence[Turn]) -> dict[str, Any]:
    found = _rates(turns)
    found["of_limit"] = statistics.median(_rate(one) / _rate(one["limit"]) for one in turns)
    found["of_limit_with_facts"] = statistics.median(map(_share_with_facts, turns))
    found["requests"] = statistics.median(one["requests"] for one in turns)
    chains = [tuple(one) for turn in turns for one in turn.get("chains", ())]
    if chains:
        found["waits"] = statistics.median(map(len, chains))
        found["most_waits"] = max(map(len, chains))
        found["usual_chain"] = list(Counter(chains).most_common(1)[0][0])
    return found


def _share_with_facts(turn: Turn) -> float:
    """Of a limit that makes the facts, too."""
    limit = turn["limit"]
    return _rate(turn) * float(limit["wall"] + limit["facts"]) / float(limit["count"])


def _rate(turn: Turn) -> float:
    return float(turn["count"] / turn["wall"])


def table(ways: Mapping[str, Mapping[str, Any]]) -> str:
    head = ("photos/s", "of limit", "CPU ms", "wall ms", "requests", "waits")
    lines = [_row("", head)]
    for way, found in ways.items():
        cells = [f"{found['photos_per_second']:.1f}", f"{found['of_limit']:.0%}"]
        cells += [f"{found['cpu_ms']:.1f}", f"{found['wall_ms']:.0f}"]
        cells.append(f"{found['requests']:.2f}" if "requests" in found else "")
        cells.append(f"{found['waits']:.0f}" if "waits" in found else "")
        lines.append(_row(NAMES[way], cells))
    parts = ", ".join(f"{name} {ms:.1f}" for name, ms in ways["limit"]["parts_ms"].items())
    lines += [f"CPU ms of the limit, and of facts: {parts}", *_verdicts(ways)]
    return "\n".join(lines)


def _verdicts(ways: Mapping[str, Mapping[str, Any]]) -> list[str]:
    batch, events = ways["batch"], ways["events"]
    reached = "reached" if batch["of_limit"] >= GOAL else "MISSED"
    few = "reached" if events["waits"] <= MOST_WAITS else "MISSED"
    return [
        f"a batch has {batch['of_limit']:.0%} of the limit; goal {GOAL:.0%}: {reached}; "
        f"with the facts of a photo in the limit it would be {batch['of_limit_with_facts']:.0%}",
        f"an event has {events['waits']:.0f} requests one after another "
        f"({', '.join(events['usual_chain'])}), at most {events['most_waits']}; "
        f"goal {MOST_WAITS}: {few}",
    ]


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:34}" + "".join(f"{cell:>10}" for cell in cells)

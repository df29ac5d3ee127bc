"""Phases of a start, drawn as text: one line each, in the order of their begin."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 50  # characters for the whole start


@dataclass(frozen=True)
class Phase:
    """`begin` and `end`: seconds since the start. `cpu`: seconds of its thread alone."""

    name: str
    begin: float
    end: float
    cpu: float


def phases_of(trace: str, begin: float) -> list[Phase]:
    """Read the lines of traced.py. The first line of a phase counts: later ones are not cold."""
    found: dict[str, Phase] = {}
    for line in trace.splitlines():
        name, *numbers = line.split("\t")
        start, end, cpu = map(float, numbers)
        found.setdefault(name, Phase(name, start - begin, end - begin, cpu))
    return sorted(found.values(), key=lambda phase: phase.begin)


def drawn(phases: list[Phase], seconds: float) -> str:
    """`seconds`: the whole start. A phase has one block at least."""
    width = max(len(phase.name) for phase in phases)
    lines = [f"{'phase':{width}} {'from ms':>8} {'ms':>6} {'CPU ms':>7}"]
    for phase in phases:
        at = min(WIDTH - 1, int(WIDTH * phase.begin / seconds))
        length = max(1, round(WIDTH * phase.end / seconds) - at)
        bar = " " * at + "█" * length
        begin, length_ms, cpu = (1e3 * x for x in (phase.begin, phase.end - phase.begin, phase.cpu))
        times = f"{begin:8.0f} {length_ms:6.0f} {cpu:7.0f}"
        lines.append(f"{phase.name:{width}} {times}  {bar}")
    return "\n".join(lines)

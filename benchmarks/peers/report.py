"""Rows and a table from the measurements: one row for a measure and a peer, worst for us first."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.peers.given import PHOTOS
from benchmarks.peers.measure import FIRST, Measured

OURS = "ours"
PEERS = {
    "flat": "FAISS IndexFlatIP",
    "hnsw": "hnswlib",
    "unum": "usearch",
    "lance": "lancedb",
    "auto": "autofaiss",
    "rclips": "rclip",
    "clipr": "clip-retrieval",
    "fastembeds": "fastembed, 8 bits",
    "fastembeds_fp32": "fastembed, fp32",
    "sbert": "sentence-transformers",
}
MEASURES = {
    "text": "a text to its vector, ms",
    "picture": "a picture to its vector, ms",
    "photos": "photos for a second of CPU",
    "search": "search stage, ms",
    "answer": "a text to 20 photos, ms",
    "first text": "start to the first text's vector, s",
    "first search": "start to the first search, s",
    "first answer": "start to the first answer, s",
    "memory text": "peak memory, encoding texts, MB",
    "memory search": "peak memory, searching, MB",
    "memory answer": "peak memory, both, MB",
}


@dataclass(frozen=True)
class Row:
    """`factor`: how many times better ours is, by the clock. `cpu_factor`: by CPU time; None where
    CPU time is the measure, or means nothing."""

    measure: str
    peer: str
    theirs: float
    ours: float
    factor: float
    cpu_factor: float | None = None
    recall: float | None = None


def rows_of(measured: Measured) -> list[Row]:
    """Worst for us first, by CPU time where there is one: other processes disturb it less."""
    rows = []
    for what, peer in measured.seconds:
        if peer == OURS or (what, OURS) not in measured.seconds:
            continue
        rows.append(_photos(measured, peer) if what == "photos" else _warm(measured, what, peer))
        if what in FIRST and all((what, side) in measured.starts for side in (peer, OURS)):
            rows += [_start(measured, what, peer), _memory(measured, what, peer)]
    return sorted(rows, key=lambda row: row.cpu_factor or row.factor)


def _warm(measured: Measured, what: str, peer: str) -> Row:
    theirs, ours = (1e3 * statistics.median(measured.seconds[what, s]) for s in (peer, OURS))
    cpu = [statistics.median(measured.cpu[what, side]) for side in (peer, OURS)]
    recall = measured.recalls[peer][-1][1] if what == "search" else None
    return Row(what, peer, theirs, ours, theirs / ours, cpu[0] / cpu[1], recall)


def _photos(measured: Measured, peer: str) -> Row:
    theirs, ours = (PHOTOS / statistics.median(measured.cpu["photos", s]) for s in (peer, OURS))
    return Row("photos", peer, theirs, ours, ours / theirs)


def _start(measured: Measured, what: str, peer: str) -> Row:
    theirs, ours = (statistics.median(measured.starts[what, side]) for side in (peer, OURS))
    cpu = [statistics.median(measured.start_cpu[what, side]) for side in (peer, OURS)]
    return Row(f"first {what}", peer, theirs, ours, theirs / ours, cpu[0] / cpu[1])


def _memory(measured: Measured, what: str, peer: str) -> Row:
    theirs, ours = (statistics.median(measured.peaks[what, side]) / 1e6 for side in (peer, OURS))
    return Row(f"memory {what}", peer, theirs, ours, theirs / ours)


def report_of(measured: Measured) -> dict[str, Any]:
    def named(values: dict[tuple[str, str], list[float]]) -> dict[str, list[float]]:
        return {f"{what} {side}": found for (what, side), found in values.items()}

    return {
        "rows": [asdict(row) for row in rows_of(measured)],
        "recalls": measured.recalls,
        "build_s": measured.builds,
        "others": measured.others,
        "seconds": named(measured.seconds),
        "cpu_seconds": named(measured.cpu),
        "starts": named(measured.starts),
        "start_cpu_seconds": named(measured.start_cpu),
        "peaks": named(measured.peaks),
    }


def table(report: dict[str, Any]) -> str:
    """In Markdown, as in docs/benchmarks.md."""
    lines = [
        "| measure | peer | theirs | ours | by the clock | by CPU time |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in report["rows"]:
        peer = PEERS[row["peer"]]
        if row["recall"] is not None:
            peer += f" (recall {row['recall']:.3f})"
        cells = [MEASURES[row["measure"]], peer, _said(row["theirs"]), _said(row["ours"])]
        cpu = row["cpu_factor"]
        cells += [_times(row["factor"]), _times(cpu) if cpu else ""]
        lines.append(f"| {' | '.join(cells)} |")
    if report["cannot"]:
        lines += ["", "Not measured:"]
        lines += [f"* {name}: {why}" for name, why in report["cannot"].items()]
    others = [f"{what} {cores:.1f}" for what, cores in report["others"].items()]
    lines += ["", f"Cores that other processes used meanwhile: {', '.join(others)}."]
    return "\n".join(lines)


def _said(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(factor: float) -> str:
    return f"{factor:.0f}x" if factor >= 10 else f"{factor:.2g}x"

"""Texts of one client while many others send pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.system.asking import SIDES, Kind, Side
from benchmarks.system.client import Job, run
from benchmarks.system.report import PERCENTILES, percentile

CLIENTS = 32  # that send pictures
AHEAD = 2.0  # seconds that they begin before the texts

Jobs = Callable[[Side, Kind, int, float], Job]  # of a side and a kind, with clients and seconds


def measure(job: Jobs, seconds: float) -> dict[str, dict[str, Any]]:
    """By side. Raises LoadError."""
    return {side: _of(side, job, seconds) for side in SIDES}


def _of(side: Side, job: Jobs, seconds: float) -> dict[str, Any]:
    with ThreadPoolExecutor(1) as beside:
        crowd = beside.submit(run, job(side, "picture", CLIENTS, AHEAD + seconds))
        time.sleep(AHEAD)
        texts = run(job(side, "text", 1, seconds))
        pictures = crowd.result()
    return {
        **{f"text_p{p}_ms": 1e3 * percentile(texts.latencies, p) for p in PERCENTILES},
        "texts": len(texts.latencies),
        "picture_p99_ms": 1e3 * percentile(pictures.latencies, 99),
        "pictures": len(pictures.latencies),
        "turned_away": texts.turned_away + pictures.turned_away,
    }


def lines(crowd: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"{side}: a text while {CLIENTS} clients send pictures: p50 {its['text_p50_ms']:.0f} ms, "
        f"p99 {its['text_p99_ms']:.0f} ms ({its['texts']} texts); their p99 "
        f"{its['picture_p99_ms']:.0f} ms; 503s: {its['turned_away']}"
        for side, its in crowd.items()
    ]

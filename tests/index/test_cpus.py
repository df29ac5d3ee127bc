from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from clipsearch.cpus import cpus
from clipsearch.index.search.photo_index import PhotoIndex

ROOT = Path(__file__).parents[2]


def test_macos_has_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cpus() == 3
    PhotoIndex()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpus() == 1


def test_a_process_that_is_bound_to_a_processor_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {5}, raising=False)
    assert cpus() == 1


def test_nobody_else_asks_for_the_affinity() -> None:
    asking = {
        path.relative_to(ROOT).as_posix()
        for folder in ("functions", "cli", "benchmarks", "model_export")
        for path in (ROOT / folder).rglob("*.py")
        if re.search("sched_getaffinity", path.read_text("utf-8"))
    }
    # The second binds itself to one of them, on Linux only.
    assert asking == {"functions/clipsearch/cpus.py", "benchmarks/ingest/core.py"}

"""The times in docs/operations.md are those of the benchmarks."""

from __future__ import annotations

import re

from tests.upgrade.conftest import ROOT

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text()
CORES = (1, 10, 16)


def minutes(text: str) -> float:
    value, unit = text.split()
    return float(value) * {"min": 1, "h": 60}[unit]


def test_how_long_it_takes_to_embed_again() -> None:
    [measured] = re.findall(
        r"^\| photos a second and core: events; reconcile \| [\d.]+ \| ([\d.]+);", BENCHMARKS, re.M
    )
    assert f"with the {measured} photos\na second and core" in OPERATIONS
    rows = re.findall(r"^\| ([\d,]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", OPERATIONS, re.M)
    assert len(rows) == 3
    for photos, *said in rows:
        for cores, time in zip(CORES, said, strict=True):
            computed = int(photos.replace(",", "")) / float(measured) / cores / 60
            assert abs(minutes(time.strip()) - computed) <= max(0.5, 0.05 * computed), (
                photos,
                time,
            )


def test_every_runbook_is_in_the_table() -> None:
    named = set(re.findall(r"\(runbooks/([\w-]+)\.md\)", OPERATIONS))
    assert named == {path.stem for path in (ROOT / "docs" / "runbooks").iterdir()}

"""A bucket with a settable clock, and small segments."""

from __future__ import annotations

import pytest

from clipsearch.index.compaction import merge
from tests.support.memory import MemoryBucket


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiers of 2, 4 and 8 entries; larger segments are full. So few entries cause merges."""
    monkeypatch.setattr(merge, "FANOUT", 2)
    monkeypatch.setattr(merge, "MAX_SEGMENT", 16)

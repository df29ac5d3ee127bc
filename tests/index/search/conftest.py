"""Shards of every size, and lists of candidates that have all photos."""

from __future__ import annotations

import pytest

from clipsearch.index.search import candidates, state
from clipsearch.index.search import flat_shard as shards
from tests.index.search.stored import SMALL


@pytest.fixture(params=[3, 65_536], ids=["many shards", "few shards"])
def _shard_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_VECTORS", request.param)


@pytest.fixture
def _all_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first list has all photos of a small library."""
    monkeypatch.setattr(candidates, "FIRST", SMALL)
    monkeypatch.setattr(state, "SAMPLED_IN_BUCKET", SMALL)

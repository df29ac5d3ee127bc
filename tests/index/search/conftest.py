"""Shards of every size."""

from __future__ import annotations

import pytest

from clipsearch.index.search import flat_shard as shards


@pytest.fixture(params=[3, 65_536], ids=["many shards", "few shards"])
def _shard_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_VECTORS", request.param)

"""Photos, a model and an index in folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.embed_place import Place, make


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make(tmp_path / "place")

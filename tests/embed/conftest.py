"""Photos, a model and an index in folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.embed_place import Place, make


@pytest.fixture
def make_place(tmp_path: Path) -> Callable[[str], Place]:
    return lambda name: make(tmp_path / name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make(tmp_path / "place")

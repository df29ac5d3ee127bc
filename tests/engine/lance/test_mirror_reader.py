"""Searches of a mirror with tables of Lance."""

from __future__ import annotations

from typing import Any

import pytest

from clipsearch.engine.lance_table import LanceTable
from tests.engine.mirrored_searches import SearchesOfAMirror, World


class Tables(dict[str, LanceTable]):
    """By name. `least_indexed`: photos of a table with indexes."""

    def __init__(self, folder, least_indexed: int) -> None:
        super().__init__()
        self.folder, self.least_indexed = folder, least_indexed

    def __missing__(self, name: str) -> LanceTable:
        url = (self.folder / f"{name}.lance").as_uri()
        return LanceTable(url, 4, None, self.least_indexed)


@pytest.fixture(params=["indexed", "plain"])
def world(tmp_path, request, monkeypatch) -> World:
    monkeypatch.setattr("clipsearch.engine.lance_version.ALL_COMPARED", 10)
    world: Any = World()
    world.tables = Tables(tmp_path, 1 if request.param == "indexed" else 1000)
    return world


class TestSearchesOfAMirror(SearchesOfAMirror):
    """With an index of each column, and without."""

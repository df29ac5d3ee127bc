"""usearch: a graph, with its own defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import LIMIT, Given

EFFORTS = (64, 128, 256, 512, 1024, 2048, 4096)  # expansion in a search; 64 is the default


def build(given: Given) -> None:
    import numpy as np
    from usearch.index import Index

    vectors = given.vectors()
    index = Index(ndim=vectors.shape[1], metric="ip")
    index.add(np.arange(len(vectors)), vectors)
    index.save(str(given.own("unum") / "photos.usearch"))


def open_side(what: str, given: Given, effort: int) -> Callable[[int], Any]:
    from usearch.index import Index

    index = Index.restore(str(given.own("unum") / "photos.usearch"))
    index.expansion_search = effort
    queries = given.queries()

    def search(number: int) -> list[int]:
        rows: list[int] = index.search(queries[number % len(queries)], LIMIT).keys.tolist()
        return rows

    return search

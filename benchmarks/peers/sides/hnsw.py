"""hnswlib: a graph, with the parameters of its README."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import LIMIT, Given

EFFORTS = (50, 100, 200, 400, 800, 1600, 3200)  # ef
NEIGHBOURS, EF_CONSTRUCTION = 16, 200


def build(given: Given) -> None:
    import hnswlib

    vectors = given.vectors()
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), ef_construction=EF_CONSTRUCTION, M=NEIGHBOURS)
    index.add_items(vectors)
    index.save_index(str(given.own("hnsw") / "photos.bin"))


def open_side(what: str, given: Given, effort: int) -> Callable[[int], Any]:
    import hnswlib

    queries = given.queries()
    index = hnswlib.Index(space="ip", dim=queries.shape[1])
    index.load_index(str(given.own("hnsw") / "photos.bin"))
    index.set_ef(effort)

    def search(number: int) -> list[int]:
        rows: list[int] = index.knn_query(queries[number % len(queries)], LIMIT)[0][0].tolist()
        return rows

    return search

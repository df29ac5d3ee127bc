"""FAISS's IndexFlatIP: exact search over all vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import LIMIT, Given

EFFORTS = (None,)


def build(given: Given) -> None:
    import faiss

    vectors = given.vectors()
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(given.own("flat") / "photos.index"))


def open_side(what: str, given: Given, effort: None) -> Callable[[int], Any]:
    import faiss

    index = faiss.read_index(str(given.own("flat") / "photos.index"))
    queries = given.queries()

    def search(number: int) -> list[int]:
        number %= len(queries)
        rows: list[int] = index.search(queries[number : number + 1], LIMIT)[1][0].tolist()
        return rows

    return search

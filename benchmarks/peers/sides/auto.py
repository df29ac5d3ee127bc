"""autofaiss: the index that `clip-retrieval index` builds, with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import LIMIT, Given

# None: as autofaiss tuned it, for 10 ms a query. Others: lists or neighbours to look into.
EFFORTS = (None, 400, 800, 1600, 3200)
MOST, AVAILABLE = "4G", "16G"  # memory, the defaults of `clip-retrieval index`


def build(given: Given) -> None:
    from autofaiss import build_index

    folder = given.own("auto")
    build_index(
        embeddings=str(given.vectors_file.parent),
        index_path=str(folder / "photos.index"),
        index_infos_path=str(folder / "photos.json"),
        max_index_memory_usage=MOST,
        current_memory_available=AVAILABLE,
    )


def open_side(what: str, given: Given, effort: int | None) -> Callable[[int], Any]:
    index = opened(str(given.own("auto") / "photos.index"), effort)
    queries = given.queries()

    def search(number: int) -> list[int]:
        number %= len(queries)
        rows: list[int] = index.search(queries[number : number + 1], LIMIT)[1][0].tolist()
        return rows

    return search


def opened(path: str, effort: int | None) -> Any:
    """The index, with another effort than its own if one is given."""
    import faiss

    index = faiss.read_index(path)
    if effort is not None:
        known = index.index if hasattr(index, "index") else index
        name = "efSearch" if hasattr(faiss.downcast_index(known), "hnsw") else "nprobe"
        faiss.ParameterSpace().set_index_parameter(index, name, effort)
    return index

"""lancedb: a table with its default index of vectors; last without an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import LIMIT, Given

# (lists to look into, multiple of the limit to compare exactly). None: its defaults. "all": without
# the index.
EFFORTS = (None, (20, 10), (20, 40), (64, 40), (128, 80), (344, 160), "all")


def build(given: Given) -> None:
    import lancedb
    import pyarrow

    vectors = given.vectors()
    column = pyarrow.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1])
    rows = pyarrow.table({"row": pyarrow.array(range(len(vectors))), "vector": column})
    database = lancedb.connect(given.own("lance"))
    table = database.create_table("photos", rows, mode="overwrite")
    table.create_index(metric="dot", vector_column_name="vector")


def open_side(what: str, given: Given, effort: Any) -> Callable[[int], Any]:
    import lancedb

    table = lancedb.connect(given.own("lance")).open_table("photos")
    queries = given.queries()

    def search(number: int) -> list[int]:
        query = table.search(queries[number % len(queries)]).distance_type("dot")
        if effort == "all":
            query = query.bypass_vector_index()
        elif effort is not None:
            lists, multiple = effort
            query = query.nprobes(lists).refine_factor(multiple)
        found = query.select(["row"]).limit(LIMIT).to_arrow()
        rows: list[int] = found["row"].to_pylist()
        return rows

    return search

"""A table of Lance with enlarged vectors, and what a perfect search finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
from tqdm import tqdm

from benchmarks.index.data import BLOCK, Data, Vectors, entries
from clipsearch.engine.rows import schema_of, table_of
from clipsearch.engine.stretch import stretched

LIMIT = 20
# A photo is found if its exact score is less than this below that of the 20th best.
EQUAL = 0.0005


def queries_of(data: Data) -> dict[str, Vectors]:
    """By what they are. The direction of texts is made of names that are no queries."""
    sets = {
        "names": data.texts[1::2],
        "other names": data.more_texts[::5],
        "mixes": data.text_queries(60)[-60:],
        "pictures": data.image_queries(60),
    }
    return {said: queries for said, queries in sets.items() if len(queries)}


def direction_of(data: Data) -> Vectors:
    common: Vectors = (data.common / np.linalg.norm(data.common)).astype(np.float32)
    return common


def write(folder: Path, data: Data, photos: int, stretch: float) -> dict[str, Vectors]:
    """Write the table, unless it exists; returns the exact score of the 20th best by set."""
    sets, done = queries_of(data), folder.with_suffix(".npz")
    if done.exists():
        with np.load(done) as bounds:
            return {said: bounds[said] for said in sets}
    every = np.concatenate(list(sets.values()))
    best = np.full((len(every), LIMIT), -np.inf, np.float32)
    dim, common = data.base.shape[1], direction_of(data)

    def batches() -> Iterator[Any]:
        nonlocal best
        begin = 0
        for block in tqdm(data.photos(photos), total=-(-photos // BLOCK), desc="library"):
            scores = every @ block.T
            found = -np.partition(-scores, LIMIT, axis=1)[:, :LIMIT]
            best = -np.sort(-np.concatenate([best, found], axis=1), axis=1)[:, :LIMIT]
            rows = table_of(entries(begin, block), stretched(block, common, stretch), dim)
            yield from rows.to_batches()
            begin += len(block)

    schema = schema_of(dim, {})
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    lance.write_dataset(reader, folder, mode="overwrite")
    ends = np.cumsum([len(queries) for queries in sets.values()])[:-1]
    bounds = dict(zip(sets, np.split(best[:, -1], ends), strict=True))
    np.savez(done, **bounds)
    return bounds

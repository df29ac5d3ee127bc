"""Time the search stage and IndexFlatIP over the same photos, in turns in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss

from benchmarks.index.data import SPACE, Data, Vectors, name_of
from clipsearch.cpus import cpus
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.hits import leaders
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket
from search.engine.stacking import CAP

ROUNDS, TURN = 80, 20
LIMIT = 20


def measure(folder: Path, data: Data, photos: int) -> dict[str, Any]:
    """`ms` of ours; IndexFlatIP's time divided by ours, on one thread and on default threads.

    `page_ms`: of the photos that a page with stacks compares, and of their stacks.
    """
    threads = cpus()  # OpenMP's default, before our code sets one
    flat = faiss.IndexFlatIP(data.base.shape[1])
    for block in data.photos(photos):
        flat.add(block)
    index = PhotoIndex()
    index.update(SnapshotReader(FolderBucket(folder), SPACE).refresh())
    return {
        "text": _compare(index, flat, data.text_queries(), threads),
        "image": _compare(index, flat, data.image_queries(), threads),
    }


def _compare(
    index: PhotoIndex, flat: faiss.IndexFlatIP, queries: Vectors, threads: int
) -> dict[str, float]:
    faiss.omp_set_num_threads(threads)
    _, right = flat.search(queries, LIMIT)
    found = [{hit.name for hit in index.search(query, LIMIT)} for query in queries]
    hits = sum(
        len(names & {name_of(row) for row in rows})
        for names, rows in zip(found, right.tolist(), strict=True)
    )

    def page(query: Vectors) -> None:
        leaders(index.search(query, CAP))

    def theirs(count: int, query: Vectors) -> None:
        faiss.omp_set_num_threads(count)
        flat.search(query[None], LIMIT)

    # Not "all" just before ours: OpenMP's threads still spin for a while on a core that ours needs.
    sides: dict[str, Callable[[Vectors], object]] = {
        "all": partial(theirs, threads),
        "one": partial(theirs, 1),
        "ours": lambda query: index.search(query, LIMIT),
        "page": page,
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for begin in range(0, ROUNDS, TURN):
        turn = queries[begin : begin + TURN]
        for name, search in sides.items():
            seconds[name] += [timed(partial(search, query)) for query in turn]
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "recall": hits / LIMIT / len(queries),
        "ms": median["ours"] * 1e3,
        "page_ms": median["page"] * 1e3,
        "flat_one_thread_ms": median["one"] * 1e3,
        "flat_default_ms": median["all"] * 1e3,
        "of_one_thread": median["one"] / median["ours"],
        "of_default": median["all"] / median["ours"],
    }


def timed(work: Callable[[], object]) -> float:
    """In seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin

"""Recall and time of the search stage in libraries of single photos, bursts and time-lapses."""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.index.data import SPACE, Data, Vectors
from benchmarks.index.fixed import fixed_candidates
from benchmarks.index.search import LIMIT, timed
from clipsearch.cpus import cpus
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.hits import Hit
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket

# A photo is found if its exact score is less than this below that of the 20th best. Between
# near-duplicates, more is chance.
EQUAL = 0.0005
MIXES, PICTURES = 200, 100


def query_sets(data: Data) -> dict[str, Vectors]:
    """Queries by what they are. The direction of texts is made of half of the first set."""
    sets = {
        "names": data.texts,
        "other names": data.more_texts,
        "mixes": data.text_queries(MIXES)[-MIXES:],
        "pictures": np.concatenate([data.held_out, data.image_queries(PICTURES)]),
    }
    return {said: queries for said, queries in sets.items() if len(queries)}


def measure(folder: Path, data: Data, photos: int, kind: str) -> dict[str, Any]:
    """By set of queries: what was found with adapting and with fixed candidates, in turns."""
    index = PhotoIndex()
    index.update(SnapshotReader(FolderBucket(folder), SPACE).refresh())
    sets = query_sets(data)
    bounds = bounds_of(data, photos, kind, np.concatenate(list(sets.values())))
    report, begin = {}, 0
    for said, queries in sets.items():
        report[said] = _compare(index, queries, bounds[begin : begin + len(queries)])
        begin += len(queries)
    return report


def bounds_of(data: Data, photos: int, kind: str, queries: Vectors) -> npt.NDArray[np.float32]:
    """(q,) the exact score of the 20th best photo of each query. Holds one block in memory."""
    faiss.omp_set_num_threads(cpus())
    best = np.full((len(queries), LIMIT), -np.inf, np.float32)
    for block in data.photos(photos, kind):
        flat = faiss.IndexFlatIP(block.shape[1])
        flat.add(block)
        found, _ = flat.search(queries, min(LIMIT, len(block)))
        best = -np.sort(-np.concatenate([best, found], axis=1), axis=1)[:, :LIMIT]
    result: npt.NDArray[np.float32] = best[:, -1]
    return result


def _compare(
    index: PhotoIndex, queries: Vectors, bounds: npt.NDArray[np.float32]
) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"adaptive": [], "fixed": []}
    recall: dict[str, list[float]] = {"adaptive": [], "fixed": []}
    for query, bound in zip(queries, bounds, strict=True):
        search = partial(index.search, query, LIMIT)
        with fixed_candidates():
            recall["fixed"].append(_recall(search(), bound))
            seconds["fixed"].append(timed(search))
        recall["adaptive"].append(_recall(search(), bound))
        seconds["adaptive"].append(timed(search))
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    ratios = np.array(seconds["adaptive"]) / np.array(seconds["fixed"])
    return {
        "queries": len(queries),
        **{side: _summary(values, medians[side]) for side, values in recall.items()},
        "ratio_of_p50": medians["adaptive"] / medians["fixed"],
        "median_ratio_of_pairs": float(np.median(ratios)),
    }


def _recall(hits: list[Hit], bound: float) -> float:
    return share_found([hit.score for hit in hits], bound)


def share_found(scores: list[float], bound: float) -> float:
    """`scores` of a search for LIMIT photos; `bound`: of bounds_of()."""
    return sum(score >= bound - EQUAL for score in scores) / LIMIT


def _summary(recall: list[float], median: float) -> dict[str, float]:
    return {
        "mean": statistics.fmean(recall),
        "first_percentile": float(np.percentile(recall, 1)),
        "worst": min(recall),
        "p50_ms": 1e3 * median,
    }


def rows(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the table: by number of photos, kind of library and set of queries."""
    result = []
    for size, kinds in report.items():
        for kind, sets in kinds.items():
            for said, its in sets.items():
                now, before = its["adaptive"], its["fixed"]
                recall = f"worst {now['worst']:.2f}, 1 % {now['first_percentile']:.2f}"
                recall += f", mean {now['mean']:.4f} in {its['ratio_of_p50']:.2f} x"
                old = f"640: {before['worst']:.2f}, {before['first_percentile']:.2f}"
                old += f", {before['mean']:.4f} in {before['p50_ms']:.2f} ms"
                result.append((f"{kind} {int(size):,}, {said}", recall, old))
    return result

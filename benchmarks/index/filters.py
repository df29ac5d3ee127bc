"""Time searches with filters and with several terms, and compare them with a search in numpy."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.index.data import FEW, SPACE, Data, Vectors, name_of, taken_of
from benchmarks.index.search import LIMIT, timed
from clipsearch.index.reader.snapshot import Snapshot
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.combination import Combination
from clipsearch.index.search.filter import ALL, Filter, Moment
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket

QUERIES = 40  # texts
FIRST = 5  # how often a filter is used for the first time
LEAST = -9.0  # less than any score
VERSIONS = itertools.count(1_000)  # of catalogues, each newer than the one before
WEIGHTS = {"2 terms": (1.0, 1.0), "1 and 1 unwanted": (1.0, -1.0), "3, 1 unwanted": (1.0, 1.0, -1)}


def measure(folder: Path, data: Data, photos: int) -> dict[str, dict[str, float]]:
    """For each filter and number of terms: `kept` photos, `ms`, `recall`; filters: `first_ms`."""
    queries = data.text_queries()[:QUERIES]
    products = np.concatenate([queries @ block.T for block in data.photos(photos)], axis=1)
    snapshot, index = SnapshotReader(FolderBucket(folder), SPACE).refresh(), PhotoIndex()
    index.update(snapshot)
    names = np.array([name_of(number) for number in range(photos)])
    report = {}
    for said, filter in _filters(photos):
        fits = np.array([name.startswith(filter.folder) for name in names])
        if filter.after is not None:
            fits &= np.arange(photos) >= _number(filter.after)
        first_ms = _first_ms(snapshot, index, filter, queries[:FIRST])
        found = _recall(index, list(queries), np.where(fits, products, LEAST), names, filter)
        report[said] = {"kept": float(fits.sum()), "first_ms": first_ms, **found}
    for said, weights in WEIGHTS.items():
        chosen = [np.arange(i, i + len(weights)) % QUERIES for i in range(QUERIES)]
        asked = [index.combination(queries[terms], weights) for terms in chosen]
        exact = (
            _combined(products[terms], weights, one)
            for terms, one in zip(chosen, asked, strict=True)
        )
        report[said] = {"kept": float(photos), **_recall(index, asked, exact, names, ALL)}
    return report


def _filters(photos: int) -> Iterator[tuple[str, Filter]]:
    folders = ("2023/", "2023/07/", "2023/07/14/", "few/")
    shares = {"50 %": 0.5, "5 %": 0.05, "0.1 %": 0.001, f"{FEW} photos": FEW / photos}
    for (said, share), folder in zip(shares.items(), folders, strict=True):
        yield f"folder, {said}", Filter(folder=folder)
        yield f"date, {said}", Filter(after=Moment(taken_of(photos - round(share * photos))))


def _number(moment: Moment) -> int:
    """The inverse of taken_of."""
    return (moment.seconds - taken_of(0)) // (taken_of(1) - taken_of(0))


def _first_ms(snapshot: Snapshot, index: PhotoIndex, filter: Filter, queries: Vectors) -> float:
    """Of searches, each the first one after an update: the index has forgotten all filters."""
    seconds = []
    for query in queries:
        catalogue = replace(snapshot.catalogue, version=next(VERSIONS))
        index.update(replace(snapshot, catalogue=catalogue))
        seconds.append(timed(partial(index.search, query, LIMIT, filter=filter)))
    return 1e3 * statistics.median(seconds)


def _recall(
    index: PhotoIndex,
    asked: Sequence[Vectors | Combination],
    scores: Iterable[npt.NDArray[np.floating]],
    names: npt.NDArray[np.str_],
    filter: Filter,
) -> dict[str, float]:
    """`scores`: (n,) for each query, of all photos. LEAST: the photo does not fit."""
    seconds, hits, possible = [], 0, 0
    for one, exact in zip(asked, scores, strict=True):
        best = np.argpartition(-exact, LIMIT)[:LIMIT]
        right = {str(names[place]) for place in best if exact[place] > LEAST}
        found = {hit.name for hit in index.search(one, LIMIT, filter=filter)}
        hits, possible = hits + len(found & right), possible + len(right)
        seconds.append(timed(partial(index.search, one, LIMIT, filter=filter)))
    return {"ms": 1e3 * statistics.median(seconds), "recall": hits / possible}


def _combined(
    products: Vectors, weights: tuple[float, ...], combination: Combination
) -> npt.NDArray[np.float64]:
    """(n,) the scores by their definition, from `products` (t, n)."""
    total = np.zeros(products.shape[1])
    for its, weight, (mean, spread) in zip(products, weights, combination.balances, strict=True):
        standardised = (its - mean) / spread
        total += weight * (standardised if weight > 0 else standardised.clip(0))
    return total

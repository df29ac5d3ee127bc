"""Near-duplicates fill a list of candidates. The best photos are found all the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from clipsearch.index.format.segments import write_segment
from clipsearch.index.search import candidates, quantized_shard, state
from clipsearch.index.search.filter import ALL, Filter
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, Vector, photo, random_units, tombstone
from tests.index.packed import (
    DIMENSION,
    clustered,
    coded,
    commit_of,
    loaded,
    publish_packed,
    texts,
)
from tests.index.search.library import all_pages

LAPSE, OTHERS, LIMIT = 5000, 3000, 20
EQUAL = 0.0005


@pytest.fixture(autouse=True)
def _small_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists as long for these libraries as the real ones for large libraries."""
    monkeypatch.setattr(candidates, "FIRST", 40)
    monkeypatch.setattr(candidates, "PER_HIT", 1)
    monkeypatch.setattr(quantized_shard, "ROWS_PER_CANDIDATE", 1)
    monkeypatch.setattr(state, "COPIED", 10)


def time_lapse() -> Vector:
    """Photos of one scene: two of them have a cosine of 0.99."""
    scene = clustered(1, seed=3)
    moved = scene + 0.1 * random_units(LAPSE, DIMENSION, seed=4)
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


VECTORS: Vector = np.concatenate([time_lapse(), clustered(OTHERS, seed=5)])
NAMES = [f"lapse/{i:05}" if i < LAPSE else f"others/{i:05}" for i in range(len(VECTORS))]


def written(folder: Path, vectors: Vector, names: Sequence[str]) -> FolderBucket:
    bucket = FolderBucket(folder)
    entries = [
        photo(n, 1, v, time_us=i) for i, (n, v) in enumerate(zip(names, vectors, strict=True))
    ]
    publish_packed(bucket, commit_of(bucket, entries))
    return bucket


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> FolderBucket:
    return written(tmp_path_factory.mktemp("near-duplicates"), VECTORS, NAMES)


def queries() -> Vector:
    """Texts, and photos of the time-lapse."""
    return np.concatenate([texts(20), VECTORS[:LAPSE:250]]).astype(np.float32)


def recall_of(index: PhotoIndex, counts: Sequence[int], filter: Filter = ALL) -> float:
    """The worst of queries(). Only `counts`, places in VECTORS, are photos that may be found."""
    found = []
    for query in queries():
        scores = VECTORS[counts] @ query
        least = np.sort(scores)[-LIMIT] - EQUAL
        hits = index.search(query, LIMIT, filter=filter)
        names = {hit.name for hit in hits}
        assert len(names) == len(hits) == LIMIT
        assert names <= {NAMES[i] for i in counts}
        found.append(sum(hit.score >= least for hit in hits) / LIMIT)
    return min(found)


def test_candidates_are_added_while_they_are_good(
    library: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = loaded(library)
    assert coded(index)
    everything = range(len(VECTORS))
    assert recall_of(index, everything) >= 0.9
    monkeypatch.setattr(candidates, "LATE", 1.0)  # the first list is enough
    assert recall_of(index, everything) < 0.7


def test_deleted_photos_of_a_time_lapse_are_not_found(
    library: FolderBucket, tmp_path: Path
) -> None:
    bucket = written(tmp_path, VECTORS, NAMES)
    gone = range(0, LAPSE, 2)
    write_segment(bucket, SPACE, [tombstone(NAMES[i], 1) for i in gone])
    index, snapshot = loaded(bucket)
    left = sorted(set(range(len(VECTORS))) - set(gone))
    assert snapshot.photos == len(left)
    assert recall_of(index, left) >= 0.9


@pytest.mark.parametrize("folder", ["lapse/", "others/"])
def test_filters_keep_the_best_of_a_time_lapse(library: FolderBucket, folder: str) -> None:
    index, _ = loaded(library)
    counts = [i for i, name in enumerate(NAMES) if name.startswith(folder)]
    assert recall_of(index, counts, Filter(folder=folder)) >= 0.9


def test_pages_of_a_time_lapse_repeat_nothing(library: FolderBucket) -> None:
    index, _ = loaded(library)
    found = all_pages(index, VECTORS[77], 900)
    assert found == sorted(found, key=lambda hit: (-hit[0], hit[1]))
    assert len({name for _, name in found}) == len(found) >= len(VECTORS) - 20


def test_a_search_for_more_than_all_photos_finds_all(library: FolderBucket) -> None:
    index, _ = loaded(library)
    hits = index.search(VECTORS[0], len(VECTORS) + 1)
    assert sorted(hit.name for hit in hits) == sorted(NAMES)


def test_equal_photos_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    equal = np.repeat(clustered(1), 1500, axis=0)
    names = [f"{i:05}" for i in range(1500)]
    index, _ = loaded(written(tmp_path, equal, names))
    assert [name for _, name in all_pages(index, equal[0], 400)] == names

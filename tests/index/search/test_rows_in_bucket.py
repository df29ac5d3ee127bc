"""An index that leaves rows in the bucket answers like one that has them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.entries import Entry
from clipsearch.index.format.facts import Facts
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader import stored_rows
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search import bucket_shard, candidates
from clipsearch.index.search.filter import Filter
from clipsearch.index.search.hits import leaders
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, photo, tombstone
from tests.index.packed import (
    DIMENSION,
    VECTORS,
    clustered,
    commit_of,
    loaded,
    packed,
    photos,
    publish_packed,
    texts,
)
from tests.index.search.library import all_pages, pairs
from tests.index.search.stored import ROW, SMALL, Searched
from tests.support.buckets import Delegating


class Reads(Delegating):
    """Notes the ranges that are read of rows: pack, begin and end."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket)
        self.ranges: list[tuple[str, int, int]] = []
        self.whole: list[str] = []

    def read(self, name: str, *args: Any, **more: Any) -> bytes:
        if "end" in more:
            self.ranges.append((name, more["start"], more["end"]))
        return super().read(name, *args, **more)

    def read_into(self, name: str, buffer: memoryview) -> int:
        self.whole.append(name)
        return super().read_into(name, buffer)


@pytest.fixture(params=["scored", "scanned", "two scans"])
def _lists(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to make a list of candidates."""
    if request.param != "scored":
        monkeypatch.setattr(bucket_shard, "SCORED", 0)
    if request.param == "two scans":
        monkeypatch.setattr(bucket_shard, "WORTH_A_THREAD", 500)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FolderBucket:
    """Two packs, loose photos, and what deletes or replaces photos of packs. With facts."""
    bucket = FolderBucket(tmp_path_factory.mktemp("small"))
    publish_packed(bucket, commit_of(bucket, described(0, 500), described(500, 1100)))
    write_segment(bucket, SPACE, [tombstone(f"{i:05}", 1) for i in range(7, 47)])
    write_segment(
        bucket, SPACE, [photo("00900", 2, VECTORS[3], time_us=9), *described(1100, SMALL)]
    )
    return bucket


def described(begin: int, end: int) -> list[Entry]:
    """Photos that have dates, and hashes that make some of them near-duplicates."""
    facts = (Facts(taken=i // 3, hash=i // 4, colour=(1, 2, 3)) for i in range(begin, end))
    return [replace(one, facts=its) for one, its in zip(photos(begin, end), facts, strict=True)]


def both(bucket: Bucket) -> Iterator[PhotoIndex]:
    yield Searched(bucket, threads=2).index
    yield loaded(bucket)[0]


def queries() -> list[Any]:
    return [*texts(4), VECTORS[3], VECTORS[800], *clustered(2, seed=5)]


@pytest.mark.usefixtures("_all_candidates", "_lists")
@pytest.mark.parametrize(
    "ask",
    [
        lambda index, query: pairs(index.search(query, 20)),
        lambda index, query: all_pages(index, query, 90),
        lambda index, query: pairs(index.search(query, 20, exactly=True)),
        lambda index, query: pairs(index.search(query, 20, filter=Filter(name="9"))),
        lambda index, query: all_pages(index, query, 50) and pairs(index.search(query, 600)),
        lambda index, query: pairs(
            index.search(index.combination(np.stack([query, texts(9)[8]]), [1, -0.7]), 30)
        ),
        lambda index, query: pairs(
            index.search(index.combination(np.stack([query, query]), [1, -1]), 1100)
        ),
        lambda index, query: pairs(index.matching(query, 0.0).by_date(50)),
        lambda index, query: pairs(index.matching(query, None).by_date(50, oldest=True)),
        lambda index, query: index.matching(query, 0.0).facets(Filter(name="1")),
        lambda index, query: leaders(index.search(query, 300)),
        lambda index, query: index.sample[:9].tobytes(),
    ],
)
def test_a_small_library_is_searched_as_in_memory(
    small: FolderBucket, ask: Callable[[PhotoIndex, Any], Any]
) -> None:
    stored, memory = both(small)
    assert stored.most_compared == candidates.MOST_IN_BUCKET
    assert memory.most_compared is None
    for query in queries():
        found, right = ask(stored, query), ask(memory, query)
        assert found == right


def test_the_vector_of_a_photo_is_that_of_its_pack(small: FolderBucket) -> None:
    stored, memory = both(small)
    for name in ("00000", "00500", "00900", "01099", "01150"):
        assert stored.vector_of(name).tobytes() == memory.vector_of(name).tobytes()
    with pytest.raises(PhotoNotIndexed):
        stored.vector_of("00007")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> FolderBucket:
    bucket = FolderBucket(tmp_path_factory.mktemp("large"))
    publish_packed(
        bucket, commit_of(bucket, photos(0, 2000), photos(2000, 4000), photos(4000, 6000))
    )
    return bucket


@pytest.mark.usefixtures("_lists")
def test_a_large_library_finds_the_best_of_its_candidates(
    large: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "FIRST", 100)
    monkeypatch.setattr(candidates, "PER_HIT", 1)
    monkeypatch.setattr(candidates, "MOST_IN_BUCKET", 400)
    stored, memory = both(large)
    right = 0
    for query in queries():
        found = all_pages(stored, query, 30)
        assert found == sorted(found, key=lambda hit: (-hit[0], hit[1]))
        names = [name for _, name in found]
        assert len(names) == len(set(names))
        assert 390 <= len(names) <= 400  # the first page may have compared fewer
        hits = {hit.name for hit in stored.search(query, 20)}
        right += len(hits & {hit.name for hit in memory.search(query, 20, exactly=True)})
        matching = stored.matching(query, -1.0)
        assert (len(matching), matching.is_cut) == (400, True)
        assert not stored.matching(query, 0.999).is_cut
        near = Filter(name="1")  # more than are candidates
        for hit in stored.search(query, 20, filter=near):
            assert "1" in hit.name
        assert pairs(stored.search(query, 9, filter=Filter(name="12"))) == pairs(
            memory.search(query, 9, filter=Filter(name="12"))
        )  # few photos are compared exactly
    assert right / 20 / len(queries()) >= 0.95


def test_rows_are_read_once_and_neighbours_together(
    large: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_rows, "GAP", 2 * ROW)
    bucket = Reads(large)
    rows = Searched(bucket).stored[0].stored
    assert bucket.ranges == bucket.whole == []  # a cold start reads no row
    taken = rows.take(np.array([2001, 7, 3, 2001, 4, 8, 1999]))
    assert taken.tobytes() == VECTORS[[2001, 7, 3, 2001, 4, 8, 1999]].astype(np.float16).tobytes()
    read = sorted((begin // ROW, end // ROW) for _, begin, end in bucket.ranges)
    assert read == [(1, 2), (3, 5), (7, 9), (1999, 2000)]
    rows.take(np.array([3, 1999]))
    assert len(bucket.ranges) == 4
    rows.take(np.array([5]))
    assert len(bucket.ranges) == 5
    assert rows.take(np.zeros(0, np.int64)).shape == (0, DIMENSION)


def test_memory_of_rows_is_bounded(large: FolderBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Reads(large)
    rows = Searched(bucket).stored[0].stored
    monkeypatch.setattr(rows.store, "most", 10 * ROW)
    for place in (*range(0, 2000, 200), 0):
        rows.take(np.array([place]))
    assert len(bucket.ranges) == 10  # row 0 is still there
    rows.take(np.array([5000]))
    rows.take(np.array([200]))  # was used longest ago
    assert len(bucket.ranges) == 12


def test_rows_stay_in_the_bucket_only_if_they_are_too_many(large: FolderBucket) -> None:
    for most, is_stored in ((6000 * ROW, False), (6000 * ROW - 1, True)):
        index = PhotoIndex()
        index.update(SnapshotReader(large, SPACE, most_rows=most).refresh())
        assert (index.most_compared is not None) == is_stored


def test_packs_of_two_quantizers_are_searched_side_by_side(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    one = packed(bucket, commit_of(bucket, photos(0, 900)))
    other = packed(bucket, commit_of(bucket, photos(900, 1800)))
    assert one
    assert other
    both = Commit(SPACE, 1, one.segments + other.segments, packs={**one.packs, **other.packs})
    publish_commit(bucket, both)
    searched = Searched(bucket)
    assert len(searched.stored) == 2
    for number in (3, 1000):
        assert searched.index.search(VECTORS[number], 1)[0].name == f"{number:05}"

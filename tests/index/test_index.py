from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.format.entries import Entries, Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader
from clipsearch.index.reader.vector_queue import Plain, VectorQueue
from clipsearch.index.search import flat_shard as shards
from clipsearch.index.search.photo_index import Hit, PhotoIndex
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, Vector, photo, random_units, tombstone, unit

# Their products have few digits, so that scores are exact and many are equal.
FEW = [
    unit(1, 0, 0),
    unit(0, 1, 0),
    unit(0, 0, -1),
    unit(0.6, 0.8, 0),
    unit(0.8, 0.6, 0),
    unit(-0.6, 0, 0.8),
]
QUERY = unit(1, 0, 0)


@pytest.fixture(params=[3, 65_536], ids=["many shards", "few shards"])
def _shard_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_VECTORS", request.param)


class Library:
    """An index with the entries that were added, by the product's own steps but for storage."""

    def __init__(self) -> None:
        self.index = PhotoIndex()
        self.catalogue = Catalogue.empty()
        self.fresh = VectorQueue()

    def add(self, *entries: Entry) -> Snapshot:
        snapshot = self.read(*entries)
        self.index.update(snapshot)
        return snapshot

    def read(self, *entries: Entry) -> Snapshot:
        columns = Entries.from_entries(entries)
        self.catalogue, rows = self.catalogue.merged(columns)
        vector_rows = rows[columns.kinds == Kind.VECTOR]
        if (vector_rows >= 0).any():
            counts = vector_rows >= 0
            self.fresh.put([Plain(vector_rows[counts], columns.vectors[counts])])
        photos = self.catalogue.count(Kind.VECTOR)
        return Snapshot(SPACE, 0, self.catalogue, self.fresh, photos, 0, None)


def expected_order(photos: dict[str, Vector], query: Vector) -> list[tuple[float, str]]:
    scores = {name: round(float(vector @ query), 6) for name, vector in photos.items()}
    return sorted(((s, n) for n, s in scores.items()), key=lambda hit: (-hit[0], hit[1]))


def pairs(hits: Sequence[Hit]) -> list[tuple[float, str]]:
    return [(hit.score, hit.name) for hit in hits]


def all_pages(index: PhotoIndex, query: Vector, limit: int) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    after = None
    while page := index.search(query, limit, after):
        assert len(page) <= limit
        found += pairs(page)
        after = found[-1]
    return found


def test_an_empty_index_finds_nothing() -> None:
    index = PhotoIndex()
    assert index.search(QUERY, 5) == []
    assert index.search(QUERY, 5, (1.0, "a")) == []
    with pytest.raises(PhotoNotIndexed, match="'a'"):
        index.vector_of("a")


@pytest.mark.usefixtures("_shard_size")
def test_hits_carry_what_is_known_of_the_photo() -> None:
    library = Library()
    library.add(photo("é.jpg", 7, unit(0.6, 0.8, 0)), photo("other", 8, unit(0, 1, 0)))
    assert library.index.search(QUERY, 1) == [Hit("é.jpg", 0.6, 7, 640, 480)]


@pytest.mark.usefixtures("_shard_size")
@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, len(FEW) - 1), min_size=1, max_size=40),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_paging_gives_every_photo_once_in_order_however_many_scores_are_equal(
    choice: list[int], limit: int, chance: random.Random
) -> None:
    names = [f"{chance.choice('aäZ猫🐈')}{i}" for i in range(len(choice))]
    photos = {name: FEW[i] for name, i in zip(names, choice, strict=True)}
    library = Library()
    entries = [photo(name, 1, vector) for name, vector in photos.items()]
    while entries:
        size = chance.randint(1, len(entries))
        library.add(*entries[:size])
        entries = entries[size:]
    expected = expected_order(photos, QUERY)
    assert pairs(library.index.search(QUERY, 100)) == expected
    assert pairs(library.index.search(QUERY, limit)) == expected[:limit]
    assert all_pages(library.index, QUERY, limit) == expected


@pytest.mark.usefixtures("_shard_size")
def test_the_best_of_thousands_are_those_of_brute_force() -> None:
    vectors = random_units(3000, 32)
    library = Library()
    for begin in range(0, 3000, 700):
        batch = range(begin, min(begin + 700, 3000))
        library.add(*(photo(f"{i:04}", 1, vectors[i]) for i in batch))
    for query in random_units(5, 32, seed=1):
        exact = vectors.astype(np.float64) @ query.astype(np.float64)
        found = all_pages(library.index, query, 997)
        assert sorted(name for _, name in found) == [f"{i:04}" for i in range(3000)]
        assert found == sorted(found, key=lambda hit: (-hit[0], hit[1]))
        assert all(abs(score - exact[int(name)]) < 2e-6 for score, name in found)
        assert pairs(library.index.search(query, 10)) == found[:10]


@pytest.mark.usefixtures("_shard_size")
def test_a_thousand_equal_scores_are_paged_by_name() -> None:
    library = Library()
    names = [f"{i:04}" for i in range(1000)]
    library.add(*(photo(name, 1, QUERY) for name in reversed(names)))
    library.add(photo("9999", 1, unit(0.8, 0.6, 0)))
    assert [name for _, name in all_pages(library.index, QUERY, 100)] == [*names, "9999"]


def test_a_page_may_begin_after_something_that_is_gone() -> None:
    library = Library()
    library.add(*(photo(name, 1, QUERY) for name in "abcd"))
    library.add(tombstone("b"))
    assert pairs(library.index.search(QUERY, 9, (1.0, "b"))) == [(1.0, "c"), (1.0, "d")]
    assert library.index.search(QUERY, 9, (-1.0, "")) == []
    assert len(library.index.search(QUERY, 9, (2.0, ""))) == 3


def test_scores_stay_between_minus_one_and_one() -> None:
    vectors = random_units(200, 33)
    library = Library()
    library.add(*(photo(str(i), 1, vector) for i, vector in enumerate(vectors)))
    for i, vector in enumerate(vectors):
        assert library.index.search(vector, 1) == [Hit(str(i), 1.0, 1, 640, 480)]
        assert library.index.search(-vector, 500)[-1].score == -1.0


def test_a_vector_that_is_a_little_too_long_scores_one() -> None:
    library = Library()
    library.add(photo("a", 1, QUERY * np.float32(1.0005)))
    assert library.index.search(QUERY, 1)[0].score == 1.0
    assert library.index.search(-QUERY, 1)[0].score == -1.0


def test_no_score_is_minus_zero() -> None:
    library = Library()
    library.add(photo("a", 1, unit(0, 1, 0)), photo("b", 1, unit(-1e-9, 1, 0)))
    scores = [str(hit.score) for hit in library.index.search(QUERY, 2)]
    assert scores == ["0.0", "0.0"]


@pytest.mark.usefixtures("_shard_size")
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_replaced_and_deleted_photos_never_appear(data: st.DataObject) -> None:
    library, photos = Library(), dict[str, tuple[int, Vector]]()
    for generation in range(1, data.draw(st.integers(1, 12)) + 1):
        changes = data.draw(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-2, 5)))
        entries = []
        for name, choice in changes.items():
            if choice < 0:
                photos.pop(name, None)
                entries.append(tombstone(name, generation))
            else:
                photos[name] = generation, FEW[choice]
                entries.append(photo(name, generation, FEW[choice]))
        library.add(*entries)
        expected = expected_order({name: vector for name, (_, vector) in photos.items()}, QUERY)
        hits = library.index.search(QUERY, 100)
        assert pairs(hits) == expected
        assert all_pages(library.index, QUERY, 2) == expected
        assert all(hit.generation == photos[hit.name][0] for hit in hits)
        for name, (_, vector) in photos.items():
            assert np.array_equal(library.index.vector_of(name), vector)
        for name in set("abcdefgh") - photos.keys():
            with pytest.raises(PhotoNotIndexed):
                library.index.vector_of(name)


def test_memory_of_what_no_longer_counts_is_given_back() -> None:
    library = Library()
    vectors = random_units(100, 8)
    for generation in range(1, 30):
        library.add(*(photo(str(i), generation, vectors[i]) for i in range(100)))
    held = sum(len(shard.rows) for shard in library.index._state.flat)
    assert held <= 200
    library.add(*(tombstone(str(i), 30) for i in range(60)))
    assert sum(len(shard.rows) for shard in library.index._state.flat) == 40
    library.add(*(tombstone(str(i), 30) for i in range(60, 100)))
    assert library.index.search(vectors[0], 5) == []
    assert library.index._state.flat == []


def test_an_update_copies_little_of_what_is_there() -> None:
    library = Library()
    vectors = random_units(1200, 8)
    library.add(*(photo(str(i), 1, vectors[i]) for i in range(1000)))
    big = library.index._state.flat[0].flat
    for i in range(1000, 1200):
        library.add(photo(str(i), 1, vectors[i]))
    assert library.index._state.flat[0].flat is big
    assert len(library.index._state.flat) < 10


def test_snapshots_may_be_skipped_and_old_ones_are_ignored() -> None:
    library = Library()
    first = library.read(photo("a", 1, QUERY))
    second = library.read(photo("b", 1, QUERY), tombstone("a", 1))
    third = library.read(photo("c", 1, QUERY))
    library.index.update(first)
    assert [hit.name for hit in library.index.search(QUERY, 9)] == ["a"]
    library.index.update(third)
    library.index.update(second)
    library.index.update(third)
    assert [hit.name for hit in library.index.search(QUERY, 9)] == ["b", "c"]


def test_an_index_belongs_to_one_reader_and_takes_its_vectors() -> None:
    library, other = Library(), Library()
    library.add(photo("a", 1, QUERY))
    with pytest.raises(ValueError, match="another reader"):
        library.index.update(other.read(photo("b", 1, QUERY)))
    with pytest.raises(ValueError, match="another index"):
        PhotoIndex().update(library.read(photo("c", 1, QUERY)))


@pytest.mark.parametrize(
    ("vector", "limit", "problem"),
    [
        (unit(1, 0), 1, r"\(3,\) finite numbers, not \(2,\)"),
        (np.ones((1, 3), np.float32), 1, r"not \(1, 3\)"),
        (np.array([np.nan, 0, 0], np.float32), 1, "finite"),
        (QUERY, 0, "at least 1, not 0"),
    ],
)
def test_a_query_that_cannot_be_is_refused(vector: Vector, limit: int, problem: str) -> None:
    library = Library()
    library.add(photo("a", 1, QUERY))
    with pytest.raises(ValueError, match=problem):
        library.index.search(vector, limit)


def test_a_search_uses_the_thread_it_is_called_in_and_no_others() -> None:
    library = Library()
    library.add(photo("a", 1, QUERY))

    def search() -> int:
        library.index.search(QUERY, 1)
        return faiss.omp_get_max_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(search).result() == 1


@pytest.mark.usefixtures("_shard_size")
def test_searching_while_the_index_is_updated(tmp_path: Path) -> None:
    """Every answer is one state: sorted, without repeats, no older than what was published."""
    bucket = FolderBucket(tmp_path)
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
    vectors = random_units(400, 16)
    query = random_units(1, 16, seed=9)[0]
    write_segment(bucket, SPACE, [photo("always", 1, vectors[0])])
    index.update(reader.refresh())
    published, done = 0, threading.Event()

    def search() -> int:
        rounds = 0
        while not done.wait(0.001):  # lets the others have the interpreter
            oldest = published
            hits = index.search(query, 500)
            assert pairs(hits) == sorted(pairs(hits), key=lambda hit: (-hit[0], hit[1]))
            names = [hit.name for hit in hits]
            assert len(set(names)) == len(names)
            assert "always" in names
            for hit in hits:
                vector = vectors[0 if hit.name == "always" else hit.generation]
                assert abs(hit.score - vector @ query) < 1e-5
            newest = max(hit.generation for hit in hits)
            assert newest >= oldest
            rounds += 1
        return rounds

    with ThreadPoolExecutor(2) as pool:
        searches = [pool.submit(search) for _ in range(2)]
        try:
            for generation in range(2, 60):
                name = f"p{generation % 20}"
                write_segment(
                    bucket,
                    SPACE,
                    [photo(name, generation, vectors[generation]),
                     tombstone(f"p{(generation + 7) % 20}", generation)],
                )  # fmt: skip
                index.update(reader.refresh())
                published = generation
        finally:
            done.set()
        assert all(job.result() > 0 for job in searches)

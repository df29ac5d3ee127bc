"""Updates of an index during searches."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.format.facts import Facts
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, Vector, photo, random_units, tombstone
from tests.index.search.library import FEW, QUERY, Library, all_pages, expected_order, pairs


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
    held = sum(len(shard.rows) for shard in library.index.shards)
    assert held <= 200
    library.add(*(tombstone(str(i), 30) for i in range(60)))
    assert sum(len(shard.rows) for shard in library.index.shards) == 40
    library.add(*(tombstone(str(i), 30) for i in range(60, 100)))
    assert library.index.search(vectors[0], 5) == []
    assert library.index.shards == []


def test_an_update_copies_little_of_what_is_there() -> None:
    library = Library()
    vectors = random_units(1200, 8)
    library.add(*(photo(str(i), 1, vectors[i]) for i in range(1000)))
    big = library.index.shards[0].flat
    for i in range(1000, 1200):
        library.add(photo(str(i), 1, vectors[i]))
    assert library.index.shards[0].flat is big
    assert len(library.index.shards) < 10


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


def test_an_update_of_facts_alone_takes_effect_and_an_older_one_does_not() -> None:
    library = Library()
    entry = photo("a", 1, QUERY)
    first = library.add(entry)
    known = replace(entry, width=30, facts=Facts(size=1), vector=FEW[1])
    second = library.add(known, photo("b", 1, FEW[1]))
    third = library.add(replace(known, width=40, time_us=1))
    for older in (first, second, third):
        library.index.update(older)
        hits = {hit.name: hit.width for hit in library.index.search(QUERY, 9)}
        assert hits == {"a": 40, "b": 640}
    assert np.array_equal(library.index.vector_of("a"), QUERY)
    assert sum(len(shard.rows) for shard in library.index.shards) == 2


def test_an_index_belongs_to_one_reader_and_takes_its_vectors() -> None:
    library, other = Library(), Library()
    library.add(photo("a", 1, QUERY))
    with pytest.raises(ValueError, match="another reader"):
        library.index.update(other.read(photo("b", 1, QUERY)))
    with pytest.raises(ValueError, match="another index"):
        PhotoIndex().update(library.read(photo("c", 1, QUERY)))


@pytest.mark.usefixtures("_shard_size")
def test_searching_while_the_index_is_updated(tmp_path: Path) -> None:
    """Every result is from one state: sorted, without duplicates, not older than published."""
    bucket = FolderBucket(tmp_path)
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
    vectors = random_units(400, 16)
    query = random_units(1, 16, seed=9)[0]
    write_segment(bucket, SPACE, [photo("always", 1, vectors[0])])
    index.update(reader.refresh())
    published, done = 0, threading.Event()

    def search() -> int:
        rounds = 0
        while not done.wait(0.001):  # lets other threads run
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

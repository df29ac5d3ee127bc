"""The results of a search, their order and their pages."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.reader.name_blocks import NameBlocks
from clipsearch.index.search.photo_index import PhotoIndex
from tests.index.making import Vector, photo, random_units, tombstone, unit
from tests.index.search.library import FEW, QUERY, Library, all_pages, expected_order, pairs


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
    [hit] = library.index.search(QUERY, 1)
    assert (hit.name, hit.score, hit.generation) == ("é.jpg", 0.6, 7)
    assert (hit.width, hit.height, hit.facts) == (640, 480, None)


@pytest.mark.usefixtures("_shard_size")
def test_names_are_read_of_equal_scores_and_of_what_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names are compressed, and most hits are only compared."""
    read: list[int] = []
    texts = NameBlocks.texts
    monkeypatch.setattr(
        NameBlocks, "texts", lambda self, rows: read.extend(rows.tolist()) or texts(self, rows)
    )
    monkeypatch.setattr(NameBlocks, "text", lambda self, row: texts(self, np.array([row]))[0])
    library = Library()
    vectors = [unit(1, 0.1 * i, 0) for i in (0, 1, 2, 2, 3, 4)]
    library.add(*(photo(f"{i}", 1, vector) for i, vector in enumerate(vectors)))
    hits = library.index.search(unit(1, 0, 0), 6)
    assert sorted(read) == [2, 3]
    assert [hit.name for hit in hits] == ["0", "1", "2", "3", "4", "5"]


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
        assert pairs(library.index.search(vector, 1)) == [(1.0, str(i))]
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

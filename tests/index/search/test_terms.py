"""Several terms in one search, compared with a brute-force search in numpy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.index.search import ranking, state
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket
from tests.index import packed
from tests.index.making import Vector, failure, photo, random_units, tombstone
from tests.index.search.library import Library

DIMENSION = 6
Weights = Sequence[float]
weights = st.lists(
    st.sampled_from([-4.0, -1.0, -0.5, 0.25, 1.0, 2.0]), min_size=2, max_size=8
).filter(lambda found: max(found) > 0)


def expected(
    photos: dict[str, Vector], terms: Vector, weights: Weights, sample: int = 4096
) -> dict[str, float]:
    """The scores by their definition, with the photos of the smallest hashes as the sample."""
    names = sorted(photos, key=lambda name: hashlib.sha256(name.encode()).digest())
    products = np.array([photos[name] for name in names], np.float64) @ terms.T.astype(np.float64)
    known = products[:sample]
    standardised = (products - known.mean(0)) / known.std(0).clip(1e-3)
    total = np.zeros(len(names))
    for column, weight in zip(standardised.T, weights, strict=True):
        total += weight * (column if weight > 0 else column.clip(0))
    return dict(zip(names, (total / np.abs(weights).sum()).tolist(), strict=True))


def scores(
    index: PhotoIndex, terms: Vector, weights: Weights, limit: int
) -> list[tuple[str, float]]:
    """All pages, each with the balances of the first."""
    query = index.combination(terms, weights)
    found: list[tuple[str, float]] = []
    after = None
    while page := index.search(query, limit, after):
        found += [(hit.name, query.value(hit.score)) for hit in page]
        after = page[-1].score, page[-1].name
        query = index.combination(terms, weights, query.balances)
    return found


def assert_ranked(found: list[tuple[str, float]], right: dict[str, float]) -> None:
    """Every photo once, with its score, best first."""
    assert sorted(name for name, _ in found) == sorted(right)
    told = [score for _, score in found]
    assert told == sorted(told, reverse=True)
    np.testing.assert_allclose(told, [right[name] for name, _ in found], atol=2e-3, rtol=1e-4)


@pytest.mark.usefixtures("_shard_size")
@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60),
    weights,
    st.integers(1, 20),
    st.integers(0, 1000),
    st.sampled_from([8, 4096]),
)
def test_scores_and_pages_are_those_of_brute_force(
    count: int, given: Weights, limit: int, seed: int, most: int
) -> None:
    vectors = random_units(count, DIMENSION, seed)
    photos = {f"{i}.jpg": vector for i, vector in enumerate(vectors)}
    library = Library()
    entries = [photo(name, 1, vector) for name, vector in photos.items()]
    library.add(*entries[: count // 2], failure("broken"), photo("gone", 1, vectors[0]))
    library.add(*entries[count // 2 :], tombstone("gone", 2))
    terms = random_units(len(given), DIMENSION, seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "MOST_CANDIDATES", most)
        found = scores(library.index, terms, given, limit)
    assert_ranked(found, expected(photos, terms, given))


def test_the_sample_is_the_same_whatever_the_order_of_uploads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state, "SAMPLE", 20)
    vectors = random_units(80, DIMENSION, seed=3)
    photos = {f"{i}.jpg": vector for i, vector in enumerate(vectors)}
    terms, given = random_units(3, DIMENSION, seed=4), (1.0, 0.5, -1.0)
    entries = [photo(name, 1, vector) for name, vector in photos.items()]
    for order in (entries, entries[::-1]):
        library = Library()
        for begin in range(0, 80, 7):
            library.add(*order[begin : begin + 7])
            library.index.combination(terms, given)  # a sample before the last update
        right = expected(photos, terms, given, sample=20)
        assert_ranked(scores(library.index, terms, given, 9), right)


def test_a_later_page_keeps_the_balances_of_the_first() -> None:
    library = Library()
    library.add(*(photo(f"{i}", 1, v) for i, v in enumerate(random_units(30, DIMENSION, seed=5))))
    terms = random_units(2, DIMENSION, seed=6)
    first = library.index.combination(terms, (1, -1))
    library.add(*(photo(f"x{i}", 1, v) for i, v in enumerate(random_units(30, DIMENSION, seed=7))))
    later = library.index.combination(terms, (1, -1), first.balances)
    assert (later.wanted == first.wanted).all()
    assert (later.scale, later.base) == (first.scale, first.base)
    assert library.index.combination(terms, (1, -1)).balances != first.balances


def test_terms_without_photos_or_with_equal_photos_have_finite_scores() -> None:
    library = Library()
    terms = random_units(3, DIMENSION, seed=8)
    assert library.index.search(library.index.combination(terms, (1, 1, -1)), 5) == []
    library.add(*(photo(name, 1, random_units(1, DIMENSION)[0]) for name in "abc"))
    found = scores(library.index, terms, (1, 1, -1), 2)
    assert [name for name, _ in found] == ["a", "b", "c"]
    assert all(abs(score) < 0.01 for _, score in found)
    opposite = library.index.combination(np.stack([terms[0], -terms[0]]), (1, 1))
    assert len(library.index.search(opposite, 5)) == 3


@pytest.fixture(scope="module")
def packed_index(tmp_path_factory: pytest.TempPathFactory) -> PhotoIndex:
    bucket = FolderBucket(Path(tmp_path_factory.mktemp("packed")))
    packed.publish_packed(bucket, packed.commit_of(bucket, packed.photos(0, packed.COUNT)))
    return packed.loaded(bucket, threads=2)[0]


@pytest.mark.parametrize("given", [(1, 1), (1, -1), (1, 0.5, -2), (1, -4, -4)])
def test_a_packed_library_is_paged_as_brute_force_ranks_it(
    packed_index: PhotoIndex, given: Weights
) -> None:
    photos = {f"{i:05}": vector for i, vector in enumerate(packed.VECTORS)}
    terms = np.concatenate([packed.clustered(1, seed=11), packed.texts(len(given) - 1)])
    right = expected(photos, terms.astype(np.float32), given)
    best = sorted(right, key=lambda name: -right[name])
    query = packed_index.combination(terms, given)
    first = packed_index.search(query, 20)
    assert len({hit.name for hit in first} & set(best[:20])) >= 18  # codes may miss a few
    assert_ranked(scores(packed_index, terms, given, 1500), right)


def test_a_term_that_is_wanted_and_not_ranks_all_photos(packed_index: PhotoIndex) -> None:
    photos = {f"{i:05}": vector for i, vector in enumerate(packed.VECTORS)}
    terms = np.repeat(packed.texts(1), 2, axis=0)
    right = expected(photos, terms, (1, -2))
    found = packed_index.search(packed_index.combination(terms, (1, -2)), 20)
    assert {hit.name for hit in found} <= set(sorted(right, key=lambda n: -right[n])[:40])

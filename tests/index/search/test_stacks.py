"""Which photos of a ranked list are near-duplicates."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.index.format.facts import Facts
from clipsearch.index.search.hits import leaders as leaders_of_hits
from clipsearch.index.search.stacks import BITS, COSINE, stacked
from tests.index.making import photo, random_units
from tests.index.search.library import Library


def versions(*near, dimension=64):
    """Vectors and hashes, one per (group, bits, cosine): so far from the photo of its group."""
    directions = np.eye(dimension, dtype=np.float32)
    vectors, hashes = [], []
    for place, (group, bits, cosine) in enumerate(near):
        aside = directions[20 + place]
        vectors.append(cosine * directions[group] + np.sqrt(1 - cosine**2) * aside)
        own = int.from_bytes(bytes([0x5A + 37 * group]) * 8, "big") & (2**64 - 1)
        hashes.append(own ^ (2**bits - 1))
    return np.array(vectors, np.float32), np.array(hashes, np.uint64)


def leaders(vectors, hashes, has_hash=None):
    has = np.ones(len(vectors), bool) if has_hash is None else np.array(has_hash)
    return stacked(vectors.__getitem__, hashes, has).tolist()


def test_a_photo_joins_a_better_one_that_is_near_by_both_measures():
    original, near = (0, 0, 1.0), (0, BITS, COSINE + 0.01)
    other_hash, other_vector = (0, BITS + 1, 0.99), (0, 0, COSINE - 0.01)
    assert leaders(*versions(original, near, other_hash, other_vector)) == [0, 0, 2, 3]


def test_photos_of_different_groups_stay_alone():
    assert leaders(*versions((0, 0, 1.0), (1, 0, 1.0), (0, 1, 0.99), (1, 1, 0.99))) == [0, 1, 0, 1]


def test_a_photo_joins_no_photo_that_joined_another():
    """The third is near the second only, and a stack has what is near its leader."""
    vectors = np.array([[1, 0], [0.96, 0.28], [0.8432, 0.5376]], np.float32)
    hashes = np.zeros(3, np.uint64)
    assert vectors[1] @ vectors[2] > COSINE > vectors[0] @ vectors[2]
    assert leaders(vectors, hashes) == [0, 0, 2]
    assert leaders(vectors[[1, 0, 2]], hashes) == [0, 0, 0]


@pytest.mark.parametrize("has_hash", [(False, False), (True, False), (False, True)])
def test_without_a_hash_a_photo_joins_an_equal_vector_only(has_hash):
    [vector] = random_units(1, 512)
    stored = vector.astype(np.float16).astype(np.float32)
    hashes = np.array([7, 0], np.uint64)
    assert leaders(np.stack([vector, stored]), hashes, has_hash) == [0, 0]
    near = vector + 0.01 * random_units(2, 512)[1]
    near = (near / np.linalg.norm(near)).astype(np.float32)
    assert leaders(np.stack([vector, near]), hashes, has_hash) == [0, 1]


def test_a_number_that_dominates_a_vector_hides_no_equal_one():
    """As in CLIP: float16 then changes the length by 0.0002."""
    [vector] = random_units(1, 512)
    vector[7] = 0
    largest = np.float32((1776 + 0.45) / 2048)  # float16 has 1776 / 2048
    vector *= np.sqrt(1 - largest**2) / np.linalg.norm(vector)
    vector[7] = largest
    stored = vector.astype(np.float16).astype(np.float32)
    assert stored @ vector < 1 - 1e-5
    assert leaders(np.stack([vector, stored]), np.zeros(2, np.uint64), [False, False]) == [0, 0]


@pytest.mark.parametrize("count", [0, 1])
def test_few_photos_are_no_stack(count):
    assert leaders(random_units(count), np.zeros(count, np.uint64)) == [*range(count)]


@settings(deadline=None)
@given(st.data())
def test_stacks_are_those_of_a_plain_loop(data):
    count = data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    groups = rng.integers(4, size=count)
    vectors = np.eye(6, dtype=np.float32)[groups] + rng.choice([0, 0.15, 0.3], (count, 1)) * (
        random_units(count, 6, seed=int(rng.integers(100)))
    )
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    hashes = rng.choice(np.array([0, 1, 2**BITS - 1, 2**63 - 1], np.uint64), count)
    has = rng.random(count) < data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    expected = []
    for rank in range(count):
        leading = [r for r in range(rank) if expected[r] == r]
        near = [r for r in leading if is_near(vectors, hashes, has, r, rank)]
        expected.append(near[0] if near else rank)
    assert leaders(vectors, hashes, has) == expected


def is_near(vectors, hashes, has, a, b):
    cosine = float(vectors[a] @ vectors[b])
    if has[a] and has[b]:
        return int(hashes[a] ^ hashes[b]).bit_count() <= BITS and cosine >= COSINE
    return cosine > 1 - 1e-6 or np.array_equal(vectors[a], vectors[b])


def test_hits_have_leaders_in_any_order():
    original, near, other = random_units(3, 32)
    near = original + 0.1 * near
    near = near / np.linalg.norm(near)
    library = Library()
    library.add(
        looked_at("a", original, 5),
        looked_at("b", near.astype(np.float32), 4),
        looked_at("c", original, 2**40 - 1),
        photo("no hash", vector=original),
        photo("its copy", vector=original),
        looked_at("other", other, 5),
    )
    found = {hit.name: hit for hit in library.index.search(original, 9)}
    names = ["other", "b", "c", "its copy", "a", "no hash"]
    assert leaders_of_hits([found[name] for name in names]) == [0, 1, 2, 2, 1, 2]
    assert leaders_of_hits([]) == []


def test_hits_of_two_indexes_have_leaders_together():
    vector, other = random_units(2, 32)
    hits = []
    for name in ("a", "b"):
        library = Library()
        library.add(looked_at(name, vector, 5), looked_at(f"other {name}", other, 2**40 - 1))
        hits += library.index.search(vector, 2)
    assert [hit.name for hit in hits] == ["a", "other a", "b", "other b"]
    assert leaders_of_hits(hits) == [0, 1, 0, 1]


def looked_at(name, vector, hash):
    return replace(photo(name, vector=vector), facts=Facts(hash=hash))

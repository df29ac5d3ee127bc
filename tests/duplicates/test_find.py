"""The stacks of a whole library."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.duplicates import find
from cli.duplicates.find import stacks_of
from clipsearch.index.search.stacks import BITS, stacked
from tests.index.making import random_units


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(find, "BLOCK", 7)
    monkeypatch.setattr(find, "PAIRS", 5)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 1000), st.integers(1, 6))
def test_blocks_find_the_same_stacks_as_all_pairs_at_once(count, seed, groups):
    rng = np.random.default_rng(seed)
    noise = (
        rng.choice([0, 0.1, 0.2, 0.4], (count, 1)) * random_units(max(1, count), 8, seed)[:count]
    )
    vectors = np.eye(8, dtype=np.float32)[rng.integers(groups, size=count)] + noise
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    hashes = rng.choice(np.array([0, 1, 2**BITS - 1, 2 ** (BITS + 1) - 1], np.uint64), count)
    compared = []
    found = stacks_of(hashes, lambda ranks: vectors[ranks], compared.append)
    assert found.tolist() == stacked(vectors.__getitem__, hashes, np.ones(count, bool)).tolist()
    assert sum(compared) == count


def test_copies_are_found_in_a_library_of_many_blocks():
    rng = np.random.default_rng(3)
    hashes = rng.integers(0, 2**63, 500, dtype=np.uint64)
    vectors = random_units(500, 32, seed=3)
    copies = rng.integers(0, 500, 40)
    hashes = np.append(hashes, hashes[copies] ^ np.uint64(2**BITS - 1))
    vectors = np.concatenate([vectors, vectors[copies]])
    assert stacks_of(hashes, lambda ranks: vectors[ranks]).tolist() == [*range(500), *copies]

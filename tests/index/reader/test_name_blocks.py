"""Names in compressed blocks, compared with lists of strings."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.index.format.packed_texts import pack
from clipsearch.index.reader import name_blocks
from clipsearch.index.reader.name_blocks import NameBlocks
from clipsearch.index.search import all_names
from clipsearch.index.search.all_names import AllNames
from clipsearch.index.search.folders import folders_below
from clipsearch.index.search.kept import Kept
from clipsearch.index.search.name_search import folded

# Alike and not, of several lengths, also with zero bytes and other alphabets.
words = st.sampled_from(["2023/", "2023/07/", "IMG_", "img", "Straße/", "é", "e\u0301", "猫", "\0"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\1"), max_size=9)
names = st.lists(st.one_of(words, texts), min_size=1, max_size=4).map("".join).filter(bool)


@pytest.fixture(scope="module", params=["small", "as they are"])
def sizes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small blocks and spans, so that a few names have several."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if request.param == "small":
            monkeypatch.setattr(name_blocks, "SIZE", 3)
            monkeypatch.setattr(name_blocks, "GROUP", 2)
            monkeypatch.setattr(name_blocks, "SPAN", 6)
            monkeypatch.setattr(all_names, "SPAN", 6)
            monkeypatch.setattr(all_names, "FEW", 2)
        yield


def blocks_of(*parts: list[str]) -> NameBlocks:
    blocks = NameBlocks()
    for part in parts:
        blocks = blocks.extended(*pack(part))
    return blocks


def chosen(mask: np.ndarray) -> list[int]:
    return np.flatnonzero(mask).tolist()


@pytest.mark.usefixtures("sizes")
@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.lists(names, max_size=20), max_size=4), data=st.data())
def test_names_are_found_as_in_a_list(parts: list[list[str]], data: st.DataObject) -> None:
    blocks = blocks_of(*parts)
    every = [name for part in parts for name in part]
    assert len(blocks) == len(every)
    assert [blocks.text(row) for row in range(len(every))] == every
    found = AllNames(blocks, Kept())
    some = data.draw(
        st.lists(st.sampled_from(range(len(every))), max_size=9) if every else st.just([])
    )
    rows = np.array(some, np.int64)
    assert found.texts(rows) == [every[row] for row in some]
    a_name = data.draw(st.one_of(names, st.sampled_from(every)) if every else names)
    part = a_name[data.draw(st.integers(0, 3)) :] or "x"
    begin = a_name[: data.draw(st.integers(1, 9))]
    assert chosen(found.equal_to(a_name)) == [i for i, n in enumerate(every) if n == a_name]
    assert chosen(found.beginning_with(begin)) == [
        i for i, n in enumerate(every) if n.startswith(begin)
    ]
    assert chosen(found.containing(part)) == [
        i for i, n in enumerate(every) if folded(part) in folded(n)
    ]
    assert found.behind(rows, a_name).tolist() == [every[i] > a_name for i in some]
    count = data.draw(st.integers(1, 5))
    places = found.first(rows, count).tolist()
    assert len(set(places)) == min(count, len(some))
    assert sorted(every[some[p]] for p in places) == sorted(every[i] for i in some)[:count]


@pytest.mark.usefixtures("sizes")
@settings(max_examples=60, deadline=None)
@given(every=st.lists(names, max_size=30))
def test_folders_are_counted_as_in_a_list(every: list[str]) -> None:
    found = AllNames(blocks_of(every), Kept())
    counts: dict[str, int] = {}
    for name in every:
        if "/" in name:
            folder = name[: name.index("/") + 1]
            counts[folder] = counts.get(folder, 0) + 1
    right = tuple(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
    assert folders_below(found, np.arange(len(every)), "", 100) == right


def test_a_longer_list_leaves_the_shorter_one_as_it_was() -> None:
    before = blocks_of(["a", "b"])
    after = before.extended(*pack(["c"]))
    assert [len(before), len(after)] == [2, 3]
    assert before.texts(np.arange(2)) == ["a", "b"]
    assert after.texts(np.arange(3)) == ["a", "b", "c"]


def test_no_names() -> None:
    blocks = NameBlocks()
    assert len(blocks.extended(*pack([]))) == 0
    assert blocks.texts(np.zeros(0, np.int64)) == []
    assert AllNames(blocks, Kept()).containing("a").tolist() == []


def test_what_is_kept_of_a_list_serves_the_longer_ones() -> None:
    first = blocks_of([f"a{number}" for number in range(9)])
    kept = Kept()
    assert chosen(AllNames(first, kept).containing("a8")) == [8]
    later = first.extended(*pack(["a8 again"]))
    assert chosen(AllNames(later, kept).containing("a8")) == [8, 9]
    assert chosen(AllNames(first, kept).containing("a8")) == [8]


def test_names_take_few_bytes_if_they_are_alike() -> None:
    blocks = blocks_of([f"2023/07/14/IMG_{number:07}.jpg" for number in range(10_000)])
    assert sum(map(len, blocks.blocks)) < 8 * len(blocks)


def test_random_names_stay_as_they_are() -> None:
    every = [f"{secrets.token_hex(16)}.jpg" for _ in range(1000)]
    blocks = blocks_of(every)
    assert all(block.startswith(name_blocks.END) for block in blocks.blocks)
    assert blocks.texts(np.arange(1000)) == every

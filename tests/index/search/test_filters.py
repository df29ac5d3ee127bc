"""Filters where they are hard: names in other scripts, large packs, many folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clipsearch.index.search import quantized_shard, state
from clipsearch.index.search.columns import Columns, Mask
from clipsearch.index.search.filter import Filter
from clipsearch.index.search.kept import Kept
from clipsearch.index.search.mask import mask_of
from clipsearch.storage.local import FolderBucket
from tests.index.making import photo, tombstone, unit
from tests.index.packed import (
    COUNT,
    VECTORS,
    coded,
    commit_of,
    loaded,
    photos,
    publish_packed,
    texts,
)
from tests.index.search.library import Library

LIMIT = 5


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Straße.jpg", "STRASSE"),
        ("STRASSE.jpg", "straß"),
        ("\u00c9t\u00e9.jpg", "e\u0301te\u0301"),  # composed, and with combining accents
        ("E\u0301TE\u0301.jpg", "\u00e9t\u00e9"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("写真/猫.jpg", "真/猫"),
        ("\u212a2.jpg", "k2"),  # the sign of kelvin
        ("K2.jpg", "\u212a2"),
        ("É\0B.jpg", "é\0b"),  # a zero byte also separates folded names
        ("a/IMG_1.JPG", "img_1.j"),
        ("x" * 300 + "Y", "xY"),
    ],
)
def test_a_part_of_a_name_is_found_in_any_case_and_script(name: str, part: str) -> None:
    library = Library()
    library.add(photo("before"), photo(name), photo("between"), photo("é"), photo("å"))
    found = library.index.newest(9, filter=Filter(name=part))
    assert [hit.name for hit in found] == [name]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("ete.jpg", "été"),
        ("été.jpg", "ete"),
        ("a`b", "A@B"),  # one bit apart, as upper and lower case are
        ("a[b", "a{b"),
    ],
)
def test_other_letters_and_signs_differ(name: str, part: str) -> None:
    library = Library()
    library.add(photo(name))
    assert library.index.newest(9, filter=Filter(name=part)) == []


def test_a_part_is_not_found_across_two_names() -> None:
    library = Library()
    library.add(photo("one"), photo("two"), photo("zwö"), photo("öl"))
    for part in ("onet", "wözw", "öö", "twoz"):
        assert library.index.newest(9, filter=Filter(name=part)) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Filter(formats=("JPEG", "jpg")), "formats are of JPEG, .*, not 'jpg'"),
        (lambda: Filter(near=(91.0, 0.0, 1.0)), "near is latitude, longitude and km"),
        (lambda: Filter(near=(0.0, float("nan"), 1.0)), "near is latitude, longitude and km"),
        (lambda: Filter(near=(0.0, 0.0, float("inf"))), "near is latitude, longitude and km"),
    ],
)
def test_impossible_filters_are_refused(make: Callable[[], Filter], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_most_of_a_pack_is_searched_by_codes_and_finds_nearly_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "COPIED", 10)
    bucket = FolderBucket(tmp_path)
    entries = [photo(f"{'ba'[i % 9 > 0]}/{i:05}", 1, VECTORS[i]) for i in range(COUNT)]
    publish_packed(bucket, commit_of(bucket, entries))
    index, snapshot = loaded(bucket)
    those = np.flatnonzero(np.arange(COUNT) % 9)
    fits = np.zeros(len(snapshot.catalogue.live), bool)
    fits[[snapshot.catalogue.row_of(entries[i].name) for i in those]] = True
    assert all(shard.within(fits).scans(LIMIT + 4) for shard in coded(index))
    right = 0
    for query in texts(40):
        best = those[np.argsort(-(VECTORS[those] @ query))[:LIMIT]]
        found = {hit.name for hit in index.search(query, LIMIT, filter=Filter(folder="a/"))}
        right += len(found & {f"a/{i:05}" for i in best})
    assert right / 40 / LIMIT > 0.95


@pytest.mark.parametrize("count", [0, 1, 7, 100, 3000, COUNT])
def test_all_photos_of_a_pack_above_a_score_are_found(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantized_shard, "FIRST_ABOVE", 3)
    bucket = FolderBucket(tmp_path)
    publish_packed(bucket, commit_of(bucket, photos(0, COUNT)))
    index, _ = loaded(bucket)
    [query] = texts(1)
    scores = np.sort(VECTORS.astype(np.float16).astype(np.float64) @ query)[::-1]
    bounds = np.concatenate([[1.0], scores, [-1.0]])
    least = float(bounds[count] + bounds[count + 1]) / 2
    found = index.matching(query, least)
    assert abs(len(found) - count) <= 1  # two scores may be nearly equal
    assert len({hit.name for hit in found.by_date(COUNT)}) == len(found)
    assert found.scores.min(initial=1.0) >= least


def test_a_folder_gives_its_100_largest_subfolders() -> None:
    library = Library()
    sizes = {f"all/{i * 7919:09}/": 1 + i % 7 for i in range(700)}
    names = [f"{folder}{i}.jpg" for folder, size in sizes.items() for i in range(size)]
    library.add(*(photo(name) for name in names), photo("all/alone.jpg"), photo("other/1.jpg"))
    library.add(tombstone("all/000000000/0.jpg"))
    del sizes["all/000000000/"]
    expected = sorted(sizes.items(), key=lambda one: (-one[1], one[0]))
    assert library.index.facets().folders == (("all/", sum(sizes.values()) + 1), ("other/", 1))
    folders = library.index.facets(Filter(folder="all/")).folders
    assert len(folders) == 100
    assert {size for _, size in folders} == {7}
    assert set(folders) <= set(expected)


def test_a_filter_is_applied_once_in_each_state(monkeypatch: pytest.MonkeyPatch) -> None:
    applied = []

    def counting(filter: Filter, columns: Columns) -> Mask:
        applied.append(filter)
        return mask_of(filter, columns)

    monkeypatch.setattr(state, "mask_of", counting)
    library, filter = Library(), Filter(folder="a/", name="x")
    for name in ("a/x", "b/x"):
        library.add(photo(name))
        for _ in range(3):
            library.index.search(unit(1, 0, 0, 0), 5, filter=filter)
            library.index.newest(5, filter=filter)
            library.index.facets(filter)
    assert sorted(applied, key=str) == sorted(2 * filter.parts(), key=str)


def test_what_was_used_last_is_kept() -> None:
    made: list[str] = []

    def get(key: str, size: int = 1) -> str:
        def make() -> tuple[str, int]:
            made.append(key)
            return key, size

        return str(kept.get(key, make))

    kept = Kept(most=3)
    assert [get(key) for key in "abcabc"] == list("abcabc")
    assert made == list("abc")
    get("a")
    get("d")  # drops b
    get("a")
    get("c")
    assert made == list("abcd")
    get("large", 10)
    get("large", 10)  # stays, although it is larger than all may be
    get("a")
    assert made == [*"abcd", "large", "a"]

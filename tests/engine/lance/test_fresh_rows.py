"""Rows that the index of the vectors does not have yet are found like all others."""

from __future__ import annotations

import pytest

from clipsearch.engine import lance_version
from clipsearch.engine.lance_table import LanceTable
from clipsearch.index.format.entries import Entries, Entry
from clipsearch.index.search.filter import ALL, Filter
from clipsearch.index.search.small_index import index_of
from tests.index.making import failure, photo, random_units, tombstone

DIM = 16
PHOTOS = 2 * lance_version.ALL_COMPARED  # fewer are all compared, without the index
IN_FOLDER = Filter(folder="even/")


@pytest.fixture
def table(tmp_path) -> LanceTable:
    """Two folders of PHOTOS each, indexed."""
    table = LanceTable((tmp_path / "t.lance").as_uri(), DIM, None, 300)
    table.make()
    apply(table, [named(number) for number in range(2 * PHOTOS)])
    table.improve()
    return table


def named(number: int, generation: int = 1) -> Entry:
    folder = "odd" if number % 2 else "even"
    vector = random_units(1, DIM, seed=1_000_000 * generation + number)[0]
    return photo(f"{folder}/{number}", generation, vector)


def apply(table: LanceTable, entries: list[Entry]) -> None:
    table.apply(Entries.from_entries(entries))


def best(opened, query, filter: Filter):
    hits = index_of(opened.best(query, 40, filter).entries).search(query, 3)
    return [(hit.name, hit.generation) for hit in hits]


@pytest.mark.parametrize("most", [lance_version.FRESH, 5], ids=["few", "more than are read whole"])
@pytest.mark.parametrize("filter", [ALL, IN_FOLDER], ids=["all", "of a folder"])
def test_they_are_found_and_what_they_replace_is_not(table, monkeypatch, most, filter):
    monkeypatch.setattr(lance_version, "FRESH", most)
    new, changed = named(2 * PHOTOS), named(10, generation=2)
    apply(table, [new, changed, tombstone("even/12", 2), *map(named, range(3000, 3010))])
    opened = table.opened()
    for entry in (new, changed, named(20)):
        assert best(opened, entry.vector, filter)[0] == (entry.name, entry.generation)
    for number in (10, 12):
        was = named(number)
        assert (was.name, 1) not in best(opened, was.vector, filter)


def test_none_of_another_folder_fits(table):
    other = named(2 * PHOTOS + 1)
    apply(table, [other])
    opened = table.opened()
    assert best(opened, other.vector, ALL)[0] == (other.name, 1)
    assert {name.split("/")[0] for name, _ in best(opened, other.vector, IN_FOLDER)} == {"even"}


def test_failures_among_them_are_no_photos(table):
    apply(table, [failure("even/failed", 1), tombstone("even/gone", 1)])
    found = table.opened().best(random_units(1, DIM)[0], 40, ALL).entries
    assert len(found) == len(found.vectors) == 40

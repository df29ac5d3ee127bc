"""Facts in entries: stored, read back, and who wins."""

import numpy as np
import pytest

from clipsearch.errors import DamagedObject
from clipsearch.images import kinds
from clipsearch.index.format.entries import Entries, Entry, Kind
from clipsearch.index.format.facts import (
    FACTS,
    FORMATS,
    Facts,
    dates_of,
    facts_of_row,
    facts_rows,
    no_facts,
)
from clipsearch.index.format.segments import entries_of, segment_bytes
from tests.index.making import unit

SPACE, PATH = "0" * 12, "some/segment.npz"
ALL = Facts(
    format="HEIC",
    size=19_999_999,
    taken=-86_400,
    offset=-210,
    place=(-33.5, 151.25),
    keeps_places=True,
    hash=2**64 - 1,
    colour=(255, 0, 7),
    thumbnail=1,
    preview=True,
)


def photo(name: str, facts: Facts | None, time_us: int = 0) -> Entry:
    return Entry(name, 7, Kind.VECTOR, time_us=time_us, vector=unit(1, 2), facts=facts)


@pytest.mark.parametrize(
    "facts", [ALL, Facts(), Facts(taken=0), Facts(place=(0.0, 0.0)), Facts(preview=False), None]
)
def test_a_segment_returns_the_facts_that_were_written(facts: Facts | None) -> None:
    entries = Entries.from_entries([photo("a", facts), photo("b", ALL)])
    found = entries_of(PATH, SPACE, segment_bytes(SPACE, entries))
    assert facts_of_row(found.facts[0]) == facts
    assert facts_of_row(found.facts[1]) == ALL


def test_the_stored_names_of_formats_are_those_of_the_decoders() -> None:
    assert FORMATS == kinds.FORMATS


def test_facts_of_a_later_version_are_read_without_its_fields() -> None:
    later = np.zeros(1, [*[(n, FACTS[n]) for n in FACTS.names or ()], ("rating", "<f8")])
    for name in FACTS.names or ():
        later[name] = facts_rows([ALL])[name]
    data = segment_bytes(SPACE, Entries.from_entries([photo("a", None)]))
    entries = entries_of(PATH, SPACE, data)
    object.__setattr__(entries, "facts", later)
    assert facts_of_row(entries_of(PATH, SPACE, segment_bytes(SPACE, entries)).facts[0]) == ALL


@pytest.mark.parametrize(
    ("facts", "problem"),
    [(no_facts(2), "facts has 2 rows, not 1"), (np.zeros(1, np.int64), "facts is int64")],
)
def test_facts_that_do_not_match_their_segment_are_damage(facts: object, problem: str) -> None:
    entries = Entries.from_entries([photo("a", None)])
    object.__setattr__(entries, "facts", facts)
    with pytest.raises(DamagedObject, match=problem):
        entries_of(PATH, SPACE, segment_bytes(SPACE, entries))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_facts_win_over_none_and_then_the_later_time(order: tuple[int, ...]) -> None:
    entries = [
        photo("a", None, time_us=9),
        photo("a", Facts(size=1), time_us=3),
        photo("a", Facts(size=2), time_us=5),
    ]
    table = Entries.from_entries([entries[i] for i in order])
    winner = table.take(table.winners())
    assert winner.facts["bytes"].tolist() == [2]


def test_a_date_is_that_of_taking_else_of_the_upload_else_of_the_entry() -> None:
    facts = facts_rows([Facts(taken=-5), Facts(), None])
    generations = np.array([1_700_000_000_000_000, 1_700_000_000_000_000, 3])
    times = np.array([1, 1, 1_600_000_000_000_000])
    assert dates_of(facts, generations, times).tolist() == [-5, 1_700_000_000, 1_600_000_000]

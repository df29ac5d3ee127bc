from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.index.format.entries import Entries, Entry, Kind, key_of
from tests.index.making import entries_lists, facts, failure, photo, tombstone, unit

NAMES = ["a", "b", "c"]


def oracle(entries: list[Entry]) -> set[tuple[str, int, int, int]]:
    """A minimal merge rule: the greatest precedence per name."""
    best: dict[str, tuple[int, int, bool, int]] = {}
    for e in entries:
        best[e.name] = max(best.get(e.name, precedence(e)), precedence(e))
    return {(name, generation, kind, time) for name, (generation, kind, _, time) in best.items()}


def precedence(entry: Entry) -> tuple[int, int, bool, int]:
    return entry.generation, entry.kind, entry.facts is not None, entry.time_us


@given(entries_lists())
def test_columns_say_what_the_entries_said(entries: list[Entry]) -> None:
    columns = Entries.from_entries(entries)
    assert [columns.name(row) for row in range(len(columns))] == [e.name for e in entries]
    assert [columns.reason(row) for row in range(len(columns))] == [e.reason for e in entries]
    assert columns.kinds.tolist() == [e.kind for e in entries]
    vectors = [e.vector for e in entries if e.vector is not None]
    assert len(columns.vectors) == len(vectors)
    assert all(map(np.array_equal, columns.vectors, vectors))


@given(entries_lists(), st.data())
def test_taking_rows_takes_their_names_reasons_and_vectors(
    entries: list[Entry], data: st.DataObject
) -> None:
    keep = data.draw(st.lists(st.booleans(), min_size=len(entries), max_size=len(entries)))
    kept = [entry for entry, chosen in zip(entries, keep, strict=True) if chosen]
    taken = Entries.from_entries(entries).take(np.array(keep, bool))
    assert facts(taken) == facts(Entries.from_entries(kept))


@given(st.lists(entries_lists(), max_size=4))
def test_concatenating_columns_is_concatenating_entries(lists: list[list[Entry]]) -> None:
    together = Entries.concat([Entries.from_entries(entries) for entries in lists])
    expected = [entry for entries in lists for entry in entries]
    assert [together.name(row) for row in range(len(together))] == [e.name for e in expected]
    assert facts(together) == facts(Entries.from_entries(expected))


@given(entries_lists(NAMES), st.randoms(use_true_random=False))
def test_the_merge_rule_does_not_depend_on_order_or_repetition(
    entries: list[Entry], chance: random.Random
) -> None:
    doubled = entries + chance.sample(entries, chance.randint(0, len(entries)))
    chance.shuffle(doubled)
    columns = Entries.from_entries(doubled)
    winners = columns.take(columns.winners())
    found = {
        (winners.name(row), int(winners.generations[row]), int(winners.kinds[row]),
         int(winners.times[row]))
        for row in range(len(winners))
    }  # fmt: skip
    assert found == oracle(entries)
    assert len(winners) == len(found)


@given(entries_lists(["a"]), entries_lists(["a"]))
def test_beats_is_the_same_rule_for_two_entries(mine: list[Entry], theirs: list[Entry]) -> None:
    pairs = [(m, t) for m in mine for t in theirs]
    left, right = (Entries.from_entries(list(side)) for side in zip(*pairs, strict=True))
    rows = np.arange(len(pairs))
    expected = [precedence(m) > precedence(t) for m, t in pairs]
    assert left.beats(rows, right, rows).tolist() == expected


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (photo("a", 2), tombstone("a", 1)),
        (failure("a", 2), photo("a", 1)),
        (tombstone("a", 1), photo("a", 1)),
        (photo("a", 1), failure("a", 1)),
        (failure("a", 1, "again", time_us=2), failure("a", 1, "first", time_us=1)),
    ],
)
def test_the_rule_case_by_case(winner: Entry, loser: Entry) -> None:
    for order in ([winner, loser], [loser, winner]):
        columns = Entries.from_entries(order)
        assert columns.winners().tolist() == [entry is winner for entry in order]


def test_the_key_is_the_beginning_of_sha256_of_the_name() -> None:
    digest = hashlib.sha256("é.jpg".encode()).digest()
    first, second = key_of("é.jpg")
    assert first.to_bytes(8, "big") + second.to_bytes(8, "big") == digest[:16]


@pytest.mark.parametrize("half", [0, 1])
def test_names_that_share_half_of_their_key_are_kept_apart(half: int) -> None:
    columns = Entries.from_entries([photo(name, g) for g, name in enumerate("abab")])
    columns.keys[:, half] = 7
    assert columns.winners().tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("problem", "make"),
    [
        ("name", lambda: photo("")),
        ("vector", lambda: Entry("a", 1, Kind.VECTOR)),
        ("vector", lambda: Entry("a", 1, Kind.TOMBSTONE, vector=unit(1, 0))),
        ("reason", lambda: Entry("a", 1, Kind.FAILURE)),
        ("length", lambda: photo("a", vector=np.array([1, 1], np.float32))),
        ("length", lambda: photo("a", vector=np.array([np.nan, 1], np.float32))),
        ("length", lambda: photo("a", vector=np.zeros(4, np.float32))),
    ],
)
def test_an_entry_that_makes_no_sense_cannot_be_made(problem: str, make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=problem):
        make()

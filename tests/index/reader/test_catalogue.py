"""Repeated entries renew a row of the catalogue; they do not add one."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.index.format.entries import Entries, Entry
from clipsearch.index.format.facts import Facts, facts_of_row
from clipsearch.index.reader.catalogue import Catalogue
from tests.index.making import entries_lists, facts, failure, photo, tombstone, unit

KNOWN = Facts(format="PNG", size=7)


def merged(*parts: list[Entry]) -> Catalogue:
    catalogue = Catalogue.empty()
    for part in parts:
        catalogue, _ = catalogue.merged(Entries.from_entries(part))
    return catalogue


def facts_in(catalogue: Catalogue, name: str) -> Facts | None:
    row = catalogue.row_of(name)
    assert row is not None
    return facts_of_row(catalogue.rows.facts[row])


def test_facts_change_the_row_that_is_there() -> None:
    before = merged([photo("a"), photo("b")])
    new = [replace(photo("b", facts=KNOWN, time_us=5), width=30, height=40), photo("c")]
    after, given_rows = before.merged(Entries.from_entries(new))
    assert given_rows.tolist() == [-1, 2]
    assert after.live.tolist() == [True] * 3
    assert [facts_in(after, name) for name in "abc"] == [None, KNOWN, None]
    columns = after.rows.widths, after.rows.heights, after.rows.times
    assert [column.tolist()[:2] for column in columns] == [[640, 30], [480, 40], [0, 5]]
    assert facts_in(before, "b") is None
    assert before.rows.widths.tolist() == [640, 640]
    assert before.version < after.version


def test_the_same_again_changes_nothing() -> None:
    catalogue = merged([photo("a", facts=KNOWN, time_us=5)])
    for entry in (photo("a"), photo("a", time_us=9), photo("a", facts=KNOWN, time_us=5)):
        after, given_rows = catalogue.merged(Entries.from_entries([entry]))
        assert after is catalogue
        assert given_rows.tolist() == [-1]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (photo("a", 1), photo("a", 2, facts=KNOWN)),
        (failure("a"), photo("a", facts=KNOWN)),
        (photo("a", facts=KNOWN), tombstone("a")),
        (failure("a", time_us=1), failure("a", time_us=2)),
    ],
    ids=["generation", "failure", "tombstone", "retried"],
)
def test_any_other_change_is_a_new_row(before: Entry, after: Entry) -> None:
    catalogue = merged([before], [after])
    assert catalogue.live.tolist() == [False, True]


def test_facts_of_many_photos_need_no_memory() -> None:
    names = [str(i) for i in range(500)]
    catalogue = merged([photo(name) for name in names])
    for begin in range(0, 500, 50):
        part = [
            photo(n, vector=unit(1, 1e-6, 0, 0), facts=KNOWN) for n in names[begin : begin + 50]
        ]
        catalogue, given_rows = catalogue.merged(Entries.from_entries(part))
        assert (given_rows == -1).all()
    assert len(catalogue.live) == len(catalogue.rows) == 500
    assert (catalogue.rows.facts["bytes"] == 7).all()


@given(st.data(), entries_lists(["a", "b", "c"]), st.randoms(use_true_random=False))
def test_the_state_is_that_of_the_merge_rule_in_any_order(
    data: st.DataObject, entries: list[Entry], chance: random.Random
) -> None:
    table = Entries.from_entries(entries)
    expected = facts(table.take(table.winners()).without_vectors(), vectors=False)
    events = entries + data.draw(st.lists(st.sampled_from(entries), max_size=6))
    chance.shuffle(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=4)))
    parts = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True) if a < b]
    catalogue, vectors = Catalogue.empty(), dict[int, bytes]()
    for part in parts:
        new = Entries.from_entries(part)
        before, (catalogue, rows) = catalogue, catalogue.merged(new)
        assert (catalogue is before) == (catalogue.version == before.version)
        for entry, row in zip(part, rows.tolist(), strict=True):
            if row >= 0 and entry.vector is not None:
                vectors[row] = entry.vector.tobytes()
    found = catalogue.rows.entries(catalogue.live)
    assert facts(found, vectors=False) == expected
    winners = table.take(table.winners())
    right = {(n, v) for n, _, _, _, _, _, v, *_ in facts(winners) if v}
    is_photo = [catalogue.row_of(name) for name, _ in right]
    assert {(catalogue.rows.name(r), vectors[r]) for r in is_photo if r is not None} == right
    assert np.count_nonzero(catalogue.live) == len(expected)

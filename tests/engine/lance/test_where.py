"""Names that mean something in SQL or in a pattern are names in the filters of a table."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.engine.lance_table import LanceTable
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.facts import Facts
from clipsearch.index.search.filter import ALL, Filter
from tests.index.making import photo, random_units

DIM = 16
# Quotes, patterns, escapes, comments, what is before and after the surrogates, an emoji.
SIGNS = "'\"`\\%_*?[]{}()$:;-#/ \n\té\ud7ff\ue000\uffff😀ab"
NAMES = [
    *("a'b.jpg", "a''b.jpg", "' OR 1=1 --", "'; DROP TABLE t; --", 'a"b', "a\\", "a\\'b", "a%b"),
    *("a_b", "aab", "%", "_", "a\nb", "{}", "$1", "?", "é/ü.jpg", "😀/a.jpg", "😀😀", "\ud7ff/x"),
    *("\ue000/x", "a/b'/c.jpg", "a/b'/d\\.jpg", "a/b%/e.jpg", "A/b.jpg", "A", "aB"),
    # as long as fits into one read, and longer
    *("x" * 96, "x" * 97, "é" * 48, "é" * 49, "a'" * 400, "長" * 341),
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """With indexes of the columns, and rows that are newer than these."""
    table = LanceTable((tmp_path_factory.mktemp("where") / "t.lance").as_uri(), DIM, None, 20)
    table.make()
    vectors = random_units(len(NAMES), DIM)
    entries = [
        photo(name, 1, vector, facts=Facts(taken=1_000 + n % 5))
        for n, (name, vector) in enumerate(zip(NAMES, vectors, strict=True))
    ]
    table.apply(Entries.from_entries(entries[:22]))
    table.improve()
    table.apply(Entries.from_entries(entries[22:]))
    return table.opened()


def found(opened, filter: Filter) -> list[str]:
    entries = opened.best(random_units(1, DIM)[0], len(NAMES), filter).entries
    result = sorted(entries.name(row) for row in range(len(entries)))
    assert opened.count(filter) == len(result)
    return result


def test_each_name_is_found_by_itself(opened):
    for name in NAMES:
        assert found(opened, Filter(photo=name)) == [name]


@settings(max_examples=150, deadline=None)
@given(st.text(SIGNS, min_size=1, max_size=4))
def test_any_text_is_compared_as_it_is(opened, text):
    assert found(opened, Filter(photo=text)) == [name for name in NAMES if name == text]
    right = sorted(name for name in NAMES if name.startswith(text))
    assert found(opened, Filter(folder=text)) == right


def test_each_begin_of_a_name_finds_what_begins_so(opened):
    for begin in {name[:end] for name in NAMES for end in range(1, len(name) + 1)}:
        right = sorted(name for name in NAMES if name.startswith(begin))
        assert found(opened, Filter(folder=begin)) == right


@pytest.mark.parametrize("oldest", [False, True])
def test_a_list_by_date_goes_on_behind_each_name(opened, oldest):
    sign = 1 if oldest else -1
    dates = {name: 1_000 + n % 5 for n, name in enumerate(NAMES)}
    listed, after = [], None
    for _ in NAMES:
        listed.append(opened.by_date(1, after, ALL, oldest).name(0))
        after = dates[listed[-1]], listed[-1]
    assert len(opened.by_date(1, after, ALL, oldest)) == 0
    assert listed == sorted(NAMES, key=lambda name: (sign * dates[name], name))

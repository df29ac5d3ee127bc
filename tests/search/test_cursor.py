"""A cursor says where to go on, and nothing else decodes as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.engine.cursor import (
    Cursor,
    cursor_behind,
    decode_cursor,
    encode_cursor,
    fingerprint,
)
from search.engine.errors import BadQuery

scores = st.floats(-1, 1)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
given_photos = st.tuples(st.floats(-1, 1, width=32), st.binary(min_size=4, max_size=4))


@given(
    scores,
    names,
    st.binary(min_size=8, max_size=8),
    st.lists(given_photos, max_size=150),
)
def test_a_cursor_comes_back_as_it_was(score, name, mark, given):
    cursor = Cursor(score, name, mark, tuple(given))
    text = encode_cursor(cursor)
    assert decode_cursor(text) == cursor
    assert text.replace("-", "").replace("_", "").isalnum()


@given(st.one_of(st.text(), st.text("abcXYZ019-_=", max_size=60)))
def test_any_text_is_a_cursor_or_a_bad_query(text):
    try:
        cursor = decode_cursor(text)
    except BadQuery:
        return
    assert abs(cursor.score) < float("inf")
    assert cursor.name


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_orders_nothing_is_refused(score):
    text = encode_cursor(Cursor(score, "a", bytes(8)))
    with pytest.raises(BadQuery, match="invalid cursor"):
        decode_cursor(text)


def test_fingerprints_tell_parts_apart():
    marks = [
        fingerprint(*parts)
        for parts in (["a"], ["a", None], ["a", ""], [None, "a"], ["ab"], ["a", "b"], ["", "ab"])
    ]
    assert len(set(marks)) == len(marks)
    assert all(len(mark) == 8 for mark in marks)


ERROR = 6.5e-4


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(-3, 3)), min_size=1, max_size=40),
    st.integers(1, 9),
)
def test_scores_that_change_between_pages_lose_and_repeat_nothing(photos, limit):
    """Each photo has a score before and after the first page. They differ by 6e-4 at most."""
    before = {f"{i:02}": 1e-4 * score for i, (score, _) in enumerate(photos)}
    after = {f"{i:02}": 1e-4 * (score + 2 * move) for i, (score, move) in enumerate(photos)}
    shown, cursor, scores = [], None, before
    while True:
        start = cursor.after(ERROR) if cursor else (2.0, "")
        behind = sorted(
            (-s, name) for name, s in scores.items() if (-s, name) > (-start[0], start[1])
        )
        page = [(-s, name) for s, name in behind if not cursor or not cursor.has_given(name)][
            :limit
        ]
        shown += [name for _, name in page]
        if len(page) < limit:
            break
        cursor, scores = cursor_behind(page, cursor, bytes(8), ERROR), after
    assert sorted(shown) == sorted(before)

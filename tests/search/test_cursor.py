"""A cursor says where to go on, and nothing else decodes as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.engine.cursor import Cursor, decode_cursor, encode_cursor, fingerprint
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

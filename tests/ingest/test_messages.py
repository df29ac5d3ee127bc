"""Messages about maintenance, read strictly: what is wrong with one is logged, and it is taken."""

import base64
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.events import Refused
from ingest.messages import (
    MAX_FILLED,
    MAX_PHOTOS,
    Compact,
    Fill,
    Index,
    Reconcile,
    Remove,
    Wanted,
    parse_message,
    to_json,
)
from tests.support.pictures import jpeg
from tests.support.pubsub_double import event_of

SPACE = "0123456789ab"
RUN = "00063b4e5f6a7b8c-0123456789ab"
SEGMENT = f"{RUN}.npz"
PHOTO = ["a.jpg", 5, 100, 5, 0]

names = st.text(min_size=1, max_size=20).filter(
    lambda name: not name.endswith("/") and name.isprintable()
)
numbers = st.integers(0, 2**63 - 1)
messages = st.one_of(
    st.just(Compact()),
    st.just(Reconcile()),
    st.builds(Reconcile, st.just(SPACE), st.just(RUN), st.integers(0, 9999), names),
    st.builds(
        Index,
        st.just(SPACE),
        st.lists(st.builds(Wanted, names, *[numbers] * 4), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(
        Remove,
        st.just(SPACE),
        st.lists(st.tuples(names, numbers), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(
        Fill,
        st.just(SPACE),
        st.just(SEGMENT),
        st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3).map(tuple),
    ),
)


@given(message=messages)
def test_a_message_is_read_as_it_was_written(message):
    _, body = event_of(to_json(message))
    assert parse_message(body) == message


def encoded(document):
    return {"message": {"data": base64.b64encode(json.dumps(document).encode()).decode()}}


BAD = {
    "no payload": (None, "must be a Pub/Sub message"),
    "a list": ([], "must be a Pub/Sub message"),
    "no message": ({"subscription": "s"}, "must be a Pub/Sub message"),
    "no data": ({"message": {"attributes": {}}}, "must be a Pub/Sub message"),
    "not base64": ({"message": {"data": "{}"}}, "must be JSON in base64"),
    "not JSON": ({"message": {"data": "YWJj"}}, "must be JSON in base64"),
    "not UTF-8": ({"message": {"data": "/w=="}}, "must be JSON in base64"),
    "no object": (encoded([]), "must be a JSON object, not list"),
    "no action": (encoded({}), "action None is unknown"),
    "another action": (encoded({"action": "explode"}), "action 'explode' is unknown"),
    "a list as action": (encoded({"action": ["compact"]}), "must be one of compact"),
    "more than asked": (encoded({"action": "compact", "now": 1}), "must have action"),
    "half a reconcile": (encoded({"action": "reconcile", "space": SPACE}), "must have"),
    "a run that is none": (
        encoded({"action": "reconcile", "space": SPACE, "run": "../x", "part": 1, "after": "a"}),
        "run '../x' must have the form",
    ),
    "a negative part": (
        encoded({"action": "reconcile", "space": SPACE, "run": RUN, "part": -1, "after": "a"}),
        "-1 must be a number from 0 to 9999",
    ),
}


def index(photos, space=SPACE):
    return encoded({"action": "index", "space": space, "photos": photos})


BAD |= {
    "a space that is none": (index([PHOTO], "../models"), "space '../models' must have the form"),
    "no photos": (index([]), "must be a list of 1 to"),
    "too many photos": (index([PHOTO] * (MAX_PHOTOS + 1)), "must be a list of 1 to"),
    "photos that are no list": (index("abc"), "must be a list of 1 to"),
    "a photo that is no list": (index(["a.jpg"]), "must be a list of 5"),
    "a photo with too little": (index([PHOTO[:4]]), "must be a list of 5"),
    "a photo without a name": (index([["", 5, 100, 5, 0]]), "'' must be the name of a photo"),
    "a folder": (index([["a/", 5, 100, 5, 0]]), "'a/' must be the name"),
    "half a character": (index([["\ud800", 5, 100, 5, 0]]), "must be the name"),
    "a number as name": (index([[7, 5, 100, 5, 0]]), "7 must be the name"),
    "a string as generation": (index([["a.jpg", "5", 100, 5, 0]]), "'5' must be a number"),
    "a truth as generation": (index([["a.jpg", True, 100, 5, 0]]), "True must be a number"),
    "a fraction": (index([["a.jpg", 5.0, 100, 5, 0]]), "5.0 must be a number"),
    "more than 64 bits": (index([["a.jpg", 2**63, 100, 5, 0]]), "must be a number"),
    "a removed photo with too much": (
        encoded({"action": "remove", "space": SPACE, "photos": [PHOTO]}),
        "must be a list of 2",
    ),
}


def fill(rows, segment=SEGMENT):
    return encoded({"action": "fill", "space": SPACE, "segment": segment, "rows": rows})


BAD |= {
    "a segment that is none": (fill([0], "../x.npz"), "segment '../x.npz' must have the form"),
    "no rows": (fill([]), "rows must be a list of 1 to"),
    "rows that are no list": (fill("0"), "rows must be a list of 1 to"),
    "too many rows": (fill([0] * (MAX_FILLED + 1)), "rows must be a list of 1 to"),
    "a negative row": (fill([-1]), "-1 must be a number"),
    "a row without a segment": (
        encoded({"action": "fill", "space": SPACE, "rows": [0]}),
        "'fill' must have action, space, segment, rows",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said(case):
    data, what = BAD[case]
    with pytest.raises(Refused) as refused:
        parse_message(data)
    assert what in str(refused.value)


@pytest.mark.parametrize("data", [b"{}", b'{"action": "explode"}', b"\xff", b"[" * 100_000])
def test_a_bad_message_is_logged_and_acknowledged(cloud, caplog, data):
    cloud.put("a.jpg", jpeg())
    assert cloud.tell(data) == 200
    [record] = [r for r in caplog.records if r.name == "clipsearch"]
    assert record.levelno == logging.ERROR
    assert "refused" in record.getMessage()
    assert cloud.segments() == []


def test_a_message_for_another_model_is_acknowledged(cloud, caplog):
    [event] = cloud.put("a.jpg", jpeg())
    photo = ["a.jpg", event.generation, event.size, event.generation, 0]
    assert cloud.tell({"action": "index", "space": "0" * 12, "photos": [photo]}) == 200
    assert "for model 000000000000" in caplog.text
    assert cloud.tell({"action": "remove", "space": "0" * 12, "photos": [["a.jpg", 1]]}) == 200
    fill_ = {"action": "fill", "space": "0" * 12, "segment": SEGMENT, "rows": [0]}
    assert cloud.tell(fill_) == 200
    assert list(cloud.index.list("000000000000/")) == []


def test_a_fill_with_all_its_rows_fits_into_an_event():
    _, body = event_of(to_json(Fill(SPACE, SEGMENT, tuple(range(MAX_FILLED)))))
    assert len(parse_message(body).rows) == MAX_FILLED

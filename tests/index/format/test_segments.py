from __future__ import annotations

import io
import re
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import DamagedObject, ObjectNotFound, UnknownFormat
from clipsearch.index.format.entries import Entries, Entry
from clipsearch.index.format.segments import (
    entries_of,
    new_segment_name,
    read_segment,
    segment_bytes,
    segment_path,
    write_segment,
)
from clipsearch.storage import Bucket
from tests.index.making import SPACE, entries_lists, facts, failure, npz, photo, tombstone

SAMPLE = [photo("a/é.jpg", 3), failure("b", 2, "kaputt"), tombstone("c", 1), photo("d")]
PATH = segment_path(SPACE, "name.npz")


def arrays() -> dict[str, Any]:
    columns = Entries.from_entries(SAMPLE)
    named = {field.name: getattr(columns, field.name) for field in fields(Entries)}
    return {"format": np.int32(1), "space": SPACE, **named}


def test_a_segment_is_read_as_it_was_written(bucket: Bucket) -> None:
    name = write_segment(bucket, SPACE, SAMPLE)
    assert [stat.name for stat in bucket.list()] == [f"{SPACE}/segments/{name}"]
    assert facts(read_segment(bucket, SPACE, name)) == facts(Entries.from_entries(SAMPLE))


@given(entries_lists())
def test_what_is_written_is_what_is_read(entries: list[Entry]) -> None:
    columns = Entries.from_entries(entries)
    again = entries_of(PATH, SPACE, segment_bytes(SPACE, columns))
    assert facts(again) == facts(columns)
    assert [again.name(row) for row in range(len(again))] == [e.name for e in entries]
    assert again.keys.tolist() == columns.keys.tolist()


def test_anyone_can_read_a_segment_with_numpy() -> None:
    data = segment_bytes(SPACE, Entries.from_entries(SAMPLE))
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        ends = archive["name_ends"]
        names = archive["names"].tobytes()
        assert [names[b:e].decode() for b, e in zip([0, *ends], ends, strict=False)] == [
            "a/é.jpg",
            "b",
            "c",
            "d",
        ]
        assert archive["format"] == 1
        assert archive["space"] == SPACE
        assert archive["kinds"].tolist() == [1, 0, 2, 1]
        assert (archive["vectors"].shape, archive["vectors"].dtype) == ((2, 4), np.float32)


def test_names_of_segments_sort_by_time_and_do_not_repeat() -> None:
    names = [new_segment_name(time_us) for time_us in (1, 255, 256, 1_700_000_000_000_000)]
    assert names == sorted(names)
    assert all(re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{12}\.npz", name) for name in names)
    assert len({new_segment_name(5) for _ in range(100)}) == 100


def test_a_segment_without_entries_is_refused(bucket: Bucket) -> None:
    with pytest.raises(ValueError, match="at least one"):
        write_segment(bucket, SPACE, [])


def test_a_segment_that_is_gone_is_not_found(bucket: Bucket) -> None:
    with pytest.raises(ObjectNotFound):
        read_segment(bucket, SPACE, "gone.npz")


@given(st.data())
def test_a_cut_segment_is_named(data: st.DataObject) -> None:
    whole = segment_bytes(SPACE, Entries.from_entries(SAMPLE))
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(DamagedObject, match=re.escape(repr(PATH))) as caught:
        entries_of(PATH, SPACE, cut)
    assert caught.value.name == PATH


@given(st.data())
def test_a_flipped_bit_is_noticed_or_makes_no_difference(data: st.DataObject) -> None:
    whole = bytearray(segment_bytes(SPACE, Entries.from_entries(SAMPLE)))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    try:
        read = entries_of(PATH, SPACE, bytes(whole))
    except DamagedObject:
        return
    # Zip files have fields that readers ignore, such as the time.
    assert facts(read) == facts(Entries.from_entries(SAMPLE))
    assert read.keys.tolist() == Entries.from_entries(SAMPLE).keys.tolist()


def test_a_flipped_bit_in_a_vector_is_noticed() -> None:
    whole = bytearray(segment_bytes(SPACE, Entries.from_entries(SAMPLE)))
    place = whole.index(Entries.from_entries(SAMPLE).vectors.tobytes())
    whole[place + 5] ^= 1
    with pytest.raises(DamagedObject, match="CRC"):
        entries_of(PATH, SPACE, bytes(whole))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"format": np.int32(2)}, "in format 2; this version reads format 1: update this version"),
        ({"format": np.int32(0)}, "format is 0; this version reads only 1"),
        ({"space": "ffffffffffff"}, "space is 'ffffffffffff', not '0123456789ab'"),
        ({"keys": None}, "lacks keys"),
        ({"vectors": np.zeros((1, 4), np.float32)}, "1 vectors"),
        ({"vectors": np.zeros((2, 4), np.float64)}, "vectors is float64"),
        ({"vectors": np.zeros(8, np.float32)}, "1 dimensions"),
        ({"generations": np.array([1, 2, 3], np.int64)}, "rows, not 3"),
        ({"generations": np.array([1, 2, 3, 4], ">i8")}, "generations is >i8"),
        ({"kinds": np.array([1, 0, 3, 1], np.uint8)}, "invalid keys or kinds"),
        ({"keys": np.zeros((4, 3), np.uint64)}, "keys"),
        ({"name_ends": np.array([3, 2, 9, 10], np.int64)}, "the ends of names do not match"),
        ({"names": np.zeros(3, np.uint8)}, "the ends of names do not match"),
        ({"names": np.full(11, 255, np.uint8)}, "names are not UTF-8"),
        ({"reason_ends": np.array([3, 6], np.int64)}, "2 reasons"),
        ({"names": np.array([{"a": 1}], object)}, "not an .npz file"),
    ],
)
def test_a_segment_that_is_not_what_it_must_be_is_named_with_the_reason(
    change: dict[str, Any], problem: str
) -> None:
    content = {name: value for name, value in {**arrays(), **change}.items() if value is not None}
    with pytest.raises(DamagedObject, match=re.escape(repr(PATH))) as caught:
        entries_of(PATH, SPACE, npz(**content))
    assert problem in caught.value.reason


@pytest.mark.parametrize("data", [b"", b"PK", b"<html>503</html>", npz(), npz(a=1)])
def test_what_is_no_segment_at_all_is_named(data: bytes) -> None:
    with pytest.raises(DamagedObject, match=re.escape(repr(PATH))):
        entries_of(PATH, SPACE, data)


def test_a_newer_format_is_told_from_damage_whatever_else_it_has() -> None:
    later = npz(format=np.int32(2), names=np.array([{"a": 1}], object))
    with pytest.raises(UnknownFormat, match=re.escape(f"the object {PATH!r} cannot be read: ")):
        entries_of(PATH, SPACE, later)
    with pytest.raises(DamagedObject) as caught:
        entries_of(PATH, SPACE, npz(**{**arrays(), "format": np.array([2])}))
    assert not isinstance(caught.value, UnknownFormat)

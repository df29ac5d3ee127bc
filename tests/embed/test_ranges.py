"""Ranges of names: together they have every photo once, and none is much too large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.embed.ranges import list_range, middle, ranges_of
from tests.support.buckets import HookedBucket
from tests.support.memory import MemoryBucket

NAMES = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("ab/\U0010ffff\uffff"),
    min_size=1,
    max_size=9,
).filter(lambda name: name not in (".", ".."))


def bucket_of(names):
    bucket = MemoryBucket()
    for name in names:
        bucket.create(name, b"")
    return bucket


def shares(names, count):
    bucket = bucket_of(names)
    return [len(list(list_range(bucket, one))) for one in ranges_of(bucket, count)]


@given(st.sets(NAMES, max_size=30), st.integers(1, 9))
def test_every_name_is_in_one_range(names, count):
    bucket = bucket_of(names)
    ranges = ranges_of(bucket, count)
    found = [stat.name for one in ranges for stat in list_range(bucket, one)]
    assert found == sorted((n for n in names if not n.endswith("/")), key=str.encode)
    assert ranges[0].start == ranges[-1].end == ""


@pytest.mark.parametrize(
    "names",
    [
        [f"{number:05}.jpg" for number in range(4000)],
        [f"album/{year}/{month:02}/IMG_{number:04}.jpg"
         for year in range(2006, 2026) for month in range(1, 13) for number in range(16)],
        [f"写真/{chr(0x4E00 + number)}.jpg" for number in range(4000)],
    ],
    ids=["digits", "years", "Japanese"],
)  # fmt: skip
def test_usual_names_are_cut_evenly(names):
    found = shares(names, 8)
    assert len(found) >= 8
    assert max(found) <= len(names) * 0.3


def test_a_cut_costs_few_requests():
    asked = []
    bucket = bucket_of([f"{number:05}.jpg" for number in range(4000)])
    ranges_of(HookedBucket(bucket, before=lambda *request: asked.append(request)), 64)
    assert len(asked) <= 64 * 6


@pytest.mark.parametrize("names", [[], ["one.jpg"]])
def test_an_empty_bucket_is_one_range(names):
    assert shares(names, 4) == [len(names)]


@given(NAMES, NAMES)
def test_the_middle_is_between_both_or_the_lower_one(one, other):
    low, high = sorted([one, other], key=str.encode)
    assert low.encode() <= middle(low, high).encode() <= high.encode()

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from clipsearch.errors import DamagedObject, ObjectExists, StorageError, UnknownFormat
from clipsearch.index.compaction.transaction import advance
from clipsearch.index.format.commits import (
    MAX_NUMBER,
    Commit,
    commit_path,
    newest_commit,
    publish_commit,
)
from clipsearch.storage import Bucket
from tests.index.making import SPACE
from tests.support.memory import MemoryBucket

SHORTEST = {
    "format": 1,
    "space": SPACE,
    "number": 1,
    "created": "2026-03-01T00:00:00+00:00",
    "segments": ["a.npz"],
    "replaced": {},
}


def test_before_the_first_commit_there_is_the_empty_one(bucket: Bucket) -> None:
    assert newest_commit(bucket, SPACE) == Commit(SPACE, 0)


def test_the_newest_commit_is_the_one_with_the_greatest_number(bucket: Bucket) -> None:
    created = datetime(2026, 3, 1, 12, tzinfo=UTC)
    commits = [
        Commit(SPACE, i, (f"{i}.npz",), {"0.npz": f"{i}.npz"}, created=created)
        for i in range(1, 13)
    ]
    for commit in commits:
        publish_commit(bucket, commit)
    assert newest_commit(bucket, SPACE) == commits[-1]
    assert newest_commit(bucket, "ba9876543210").number == 0


def test_a_commit_is_json_that_anyone_can_read(bucket: Bucket) -> None:
    packs, quantizer = {"b.npz": f"{SPACE}/packs/b-q.npz"}, f"{SPACE}/quantizers/q.npz"
    purged = datetime(2026, 3, 1, 12, tzinfo=UTC)
    replaced = {"c.npz": "a.npz", "d.npz": "a.npz"}
    commit = Commit(SPACE, 1, ("b.npz", "a.npz"), replaced, packs, quantizer, {"a.npz": 7}, purged)
    publish_commit(bucket, commit)
    (stat,) = bucket.list()
    assert stat.name == f"{SPACE}/commits/000000000001.json"
    document = json.loads(bucket.read(stat.name))
    created = datetime.fromisoformat(document.pop("created"))
    assert created.tzinfo is not None
    assert type(document.pop("checksum")) is int
    assert document == {
        "format": 1,
        "space": SPACE,
        "number": 1,
        "segments": ["b.npz", "a.npz"],
        "replaced": {"a.npz": ["c.npz", "d.npz"]},
        "packs": packs,
        "quantizer": quantizer,
        "sizes": {"a.npz": 7},
        "purged": "2026-03-01T12:00:00+00:00",
    }
    assert newest_commit(bucket, SPACE) == replace(commit, created=created)


def test_a_commit_need_not_say_what_it_has_not(bucket: Bucket) -> None:
    bucket.create(commit_path(SPACE, 1), json.dumps(SHORTEST).encode())
    assert newest_commit(bucket, SPACE) == Commit(
        SPACE, 1, ("a.npz",), created=datetime(2026, 3, 1, tzinfo=UTC)
    )


def test_of_many_who_publish_one_number_exactly_one_wins(bucket: Bucket) -> None:
    publish_commit(bucket, Commit(SPACE, 1))

    def publish(i: int) -> bool:
        try:
            publish_commit(bucket, Commit(SPACE, 2, (f"{i}.npz",)))
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(publish, range(16)))
    assert won.count(True) == 1
    assert newest_commit(bucket, SPACE).segments == (f"{won.index(True)}.npz",)


def test_number_zero_cannot_be_published(bucket: Bucket) -> None:
    with pytest.raises(ValueError, match="not 0"):
        publish_commit(bucket, Commit(SPACE, 0))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"format": 2}, "in format 2; this version reads format 1: update this version"),
        ({"format": 0}, "'format': 0"),
        ({"format": "2"}, "'format': '2'"),
        ({"space": "ffffffffffff"}, "ffffffffffff"),
        ({"number": 2}, "'number': 2"),
        ({"number": "1"}, "'1'"),
        ({"segments": "a.npz"}, "a.npz"),
        ({"segments": [1]}, "1"),
        ({"segments": ["../a.npz"]}, "../a.npz"),
        ({"replaced": None}, "None"),
        ({"replaced": ["a.npz"]}, "a.npz"),
        ({"replaced": {"b.npz": 1}}, "1"),
        ({"replaced": {"b.npz": "a.npz"}}, "a.npz"),
        ({"replaced": {"../b.npz": ["a.npz"]}}, "../b.npz"),
        ({"replaced": {"b.npz": ["../a.npz"]}}, "../a.npz"),
        ({"packs": {"a.npz": "ffffffffffff/packs/a.npz"}}, "ffffffffffff/packs"),
        ({"quantizer": "ffffffffffff/quantizers/q.npz"}, "ffffffffffff/quantizers"),
        ({"quantizer": ""}, "''"),
        ({"sizes": {"a.npz": 0}}, "0"),
        ({"sizes": ["a.npz"]}, "a.npz"),
        ({"purged": "today"}, "today"),
        ({"created": "yesterday"}, "yesterday"),
        ({"created": "2026-03-01T00:00:00"}, "zone"),
    ],
)
def test_a_commit_that_is_not_what_it_must_be_is_named(
    bucket: Bucket, change: dict[str, Any], problem: str
) -> None:
    path = commit_path(SPACE, 1)
    bucket.create(path, json.dumps({**SHORTEST, **change}).encode())
    with pytest.raises(DamagedObject) as caught:
        newest_commit(bucket, SPACE)
    assert caught.value.name == path
    assert problem in caught.value.reason


def test_no_flipped_bit_changes_what_a_commit_says() -> None:
    bucket = MemoryBucket()
    publish_commit(
        bucket, Commit(SPACE, 1, ("a1.npz", "a2.npz"), {"b1.npz": "a1.npz"}, sizes={"a1.npz": 4})
    )
    commit, path = newest_commit(bucket, SPACE), commit_path(SPACE, 1)
    data = bucket.read(path)
    for i in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[i // 8] ^= 1 << i % 8
        bucket.delete(path)
        bucket.create(path, bytes(flipped))
        with suppress(DamagedObject):
            assert newest_commit(bucket, SPACE) == commit


def test_the_reason_is_short_however_long_the_commit_is(bucket: Bucket) -> None:
    names = [f"{i}.npz" for i in range(10_000)]
    document = {**SHORTEST, "segments": [*names, "../a.npz"]}
    bucket.create(commit_path(SPACE, 1), json.dumps(document).encode())
    with pytest.raises(DamagedObject) as caught:
        newest_commit(bucket, SPACE)
    assert len(caught.value.reason) < 400


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000],
    ids=["empty", "cut", "list", "nothing", "bytes", "nested"],
)
def test_what_is_no_commit_at_all_is_named(bucket: Bucket, data: bytes) -> None:
    path = commit_path(SPACE, 1)
    bucket.create(path, data)
    with pytest.raises(DamagedObject, match=path):
        newest_commit(bucket, SPACE)


def test_a_number_that_none_could_follow_is_not_ours(bucket: Bucket) -> None:
    publish_commit(bucket, Commit(SPACE, 1, ("a.npz",)))
    bucket.create(commit_path(SPACE, 999_999_999_999), b"planted")
    assert newest_commit(bucket, SPACE).number == 1
    following = advance(bucket, SPACE, lambda newest: replace(newest, segments=("b.npz",)))
    assert following is not None
    assert following.number == 2
    assert newest_commit(bucket, SPACE).segments == ("b.npz",)
    with pytest.raises(ValueError, match="number is from 1 to"):
        publish_commit(bucket, Commit(SPACE, 1_000_000_000_000))


@pytest.mark.parametrize("is_damaged", [False, True])
def test_after_the_last_number_it_says_what_to_delete(bucket: Bucket, is_damaged: bool) -> None:
    if is_damaged:
        bucket.create(commit_path(SPACE, MAX_NUMBER), b"planted")
    else:
        publish_commit(bucket, Commit(SPACE, MAX_NUMBER, ("a.npz",)))
    with pytest.raises(StorageError, match=f"{commit_path(SPACE, MAX_NUMBER)}.* delete it"):
        advance(bucket, SPACE, lambda newest: replace(newest, segments=("b.npz",)))


def test_a_race_that_is_always_lost_ends(bucket: Bucket) -> None:
    def first(newest: Commit) -> Commit:
        publish_commit(bucket, Commit(SPACE, newest.number + 1, ("theirs.npz",)))
        return replace(newest, segments=("ours.npz",))

    with pytest.raises(StorageError, match="other runs published a commit"):
        advance(bucket, SPACE, first)


def test_a_newer_format_is_told_from_a_flipped_bit(bucket: Bucket) -> None:
    path = commit_path(SPACE, 1)
    bucket.create(path, json.dumps({"format": 2, "parts": []}).encode())
    with pytest.raises(UnknownFormat, match=f"the object '{path}' cannot be read: a newer version"):
        newest_commit(bucket, SPACE)
    publish_commit(bucket, Commit(SPACE, 2, ("a.npz",)))
    flipped = bucket.read(commit_path(SPACE, 2)).replace(b'"format": 1', b'"format": 3')
    bucket.create(commit_path(SPACE, 3), flipped)
    with pytest.raises(DamagedObject, match="checksum") as caught:
        newest_commit(bucket, SPACE)
    assert not isinstance(caught.value, UnknownFormat)

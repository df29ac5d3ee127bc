"""Damaged, unreadable and foreign objects in a compaction run."""

from __future__ import annotations

import json

import pytest

from clipsearch.errors import StorageError
from clipsearch.index.format.commits import Commit, commit_path, newest_commit, publish_commit
from clipsearch.index.format.segments import new_segment_name, segment_path, write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from tests.index.compaction.running import (
    compact,
    fill,
    now_us,
    seen,
    segments,
    settle,
    truth,
    without_vectors,
)
from tests.index.making import SPACE, photo, tombstone, unit
from tests.support.buckets import HookedBucket
from tests.support.memory import MemoryBucket


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_commit_whose_number_none_could_follow_changes_nothing(
    bucket: MemoryBucket, is_whole: bool
) -> None:
    fill(bucket, 20)
    before = truth(bucket)
    planted = commit_path(SPACE, 999_999_999_999)
    if is_whole:  # only the number is wrong
        elsewhere = MemoryBucket()
        publish_commit(elsewhere, Commit(SPACE, 1, ("gone.npz",)))
        document = json.loads(elsewhere.read(commit_path(SPACE, 1)))
        del document["checksum"]  # optional
        document["number"] = 999_999_999_999
        bucket.create(planted, json.dumps(document).encode())
    else:
        bucket.create(planted, b"planted")
    assert compact(bucket).finished
    settle(bucket)
    assert truth(bucket) == before
    commit = newest_commit(bucket, SPACE)
    assert (len(commit.segments), segments(bucket)) == (1, [*commit.segments])
    assert commit.number < 10
    assert SnapshotReader(bucket, SPACE).refresh().commit == commit.number
    assert planted in bucket.names()  # foreign objects are never deleted


def test_a_damaged_segment_is_reported_and_left_alone(bucket: MemoryBucket) -> None:
    path = segment_path(SPACE, new_segment_name(1))
    bucket.create(path, b"not a segment")
    fill(bucket, 20)
    report = compact(bucket)
    assert report.finished
    assert [line.split(":")[0] for line in report.damaged] == [path]
    assert sum(newest_commit(bucket, SPACE).sizes.values()) == 20
    assert path.rsplit("/")[-1] not in newest_commit(bucket, SPACE).replaced
    settle(bucket)
    assert bucket.read(path) == b"not a segment"


def test_a_segment_of_another_dimension_is_reported_and_left_alone(bucket: MemoryBucket) -> None:
    wrong = write_segment(bucket, SPACE, [photo("wrong", vector=unit(1, 0))])
    fill(bucket, 20)
    (line,) = compact(bucket).damaged
    assert wrong in line
    assert "2 dimensions, those of other segments 4" in line
    assert wrong not in newest_commit(bucket, SPACE).replaced


@pytest.mark.parametrize("data", [b"damaged", b"[" * 100_000], ids=["damaged", "nested"])
def test_a_damaged_commit_is_succeeded_and_no_longer_said(
    bucket: MemoryBucket, data: bytes
) -> None:
    write_segment(bucket, SPACE, [photo("a.jpg", 1, unit(1, 0))])
    bucket.create(commit_path(SPACE, 3), data)
    assert SnapshotReader(bucket, SPACE).refresh().damaged
    compact(bucket)
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    assert snapshot.commit == 4
    assert snapshot.damaged == ()
    assert snapshot.photos == 1
    compact(bucket)  # one run is enough
    assert SnapshotReader(bucket, SPACE).refresh().commit == 4


def test_after_a_damaged_commit_the_index_starts_over_from_its_segments(
    bucket: MemoryBucket,
) -> None:
    fill(bucket, 40)
    compact(bucket)
    write_segment(bucket, SPACE, [tombstone("p3", 1, now_us(bucket))])
    before = truth(bucket)
    bucket.create(commit_path(SPACE, 7), b"damaged")
    compact(bucket)
    assert newest_commit(bucket, SPACE).number > 7
    assert seen(bucket) == without_vectors(before)
    settle(bucket)
    assert truth(bucket) == before
    assert set(segments(bucket)) == set(newest_commit(bucket, SPACE).segments)


def test_what_is_no_segment_and_no_commit_is_left_alone(bucket: MemoryBucket) -> None:
    notes = f"{SPACE}/segments/notes.txt", f"{SPACE}/commits/notes.txt"
    for name in notes:
        bucket.create(name, b"who put this here?")
    fill(bucket, 20)
    compact(bucket)
    settle(bucket)
    assert set(notes) < set(bucket.names())
    assert newest_commit(bucket, SPACE).number > 0


def test_storage_trouble_reaches_the_caller(bucket: MemoryBucket) -> None:
    def fail(method: str, name: str) -> None:
        raise StorageError(f"{method} {name}")

    fill(bucket, 20)
    with pytest.raises(StorageError):
        compact(HookedBucket(bucket, before=fail), bucket)

"""Damaged and missing segments and commits: reported, skipped, and read after a repair."""

from __future__ import annotations

import pytest

from clipsearch.index.format.commits import Commit, commit_path, publish_commit
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.segments import segment_bytes, segment_path, write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage import Bucket
from clipsearch.storage.gcs import GcsBucket
from tests.index.making import SPACE, photo, unit
from tests.index.reader.reading import merge, state
from tests.support.gcs_double import CloudStorageDouble


def test_a_segment_that_is_missing_for_good_is_damage_that_is_named(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE)
    write_segment(bucket, SPACE, [photo("a")])
    before = reader.refresh()
    publish_commit(bucket, Commit(SPACE, 1, ("lost.npz",)))
    for snapshot in (reader.refresh(), SnapshotReader(bucket, SPACE).refresh()):
        assert snapshot.photos == 1
        assert snapshot.damaged == (f"{SPACE}/segments/lost.npz: it is missing",)
        assert snapshot.damaged_segments == {"lost.npz"}
    found = write_segment(bucket, SPACE, [photo("lost")])
    publish_commit(bucket, Commit(SPACE, 2, (found,)))
    assert reader.refresh().photos == 2
    assert before.photos == 1


BROKEN = "0000000000000001-000000000000.npz"


def test_a_damaged_segment_is_named_and_the_rest_is_read(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE)
    write_segment(bucket, SPACE, [photo("a")])
    reader.refresh()
    bucket.create(segment_path(SPACE, BROKEN), b"not a segment")
    write_segment(bucket, SPACE, [photo("b")])
    for _ in range(2):
        snapshot = reader.refresh()
        assert state(snapshot).keys() == {"a", "b"}
        (damaged,) = snapshot.damaged
        assert damaged.startswith(f"{segment_path(SPACE, BROKEN)}: it is not an .npz file")
    assert reader.refresh() is snapshot
    bucket.delete(segment_path(SPACE, BROKEN))
    assert reader.refresh().damaged == ()


def test_a_damaged_segment_is_read_as_soon_as_it_is_mended_but_not_asked_for_all_the_time(
    gcs_double: CloudStorageDouble,
) -> None:
    bucket = GcsBucket("gs://photos")
    patient = SnapshotReader(bucket, SPACE)
    eager = SnapshotReader(bucket, SPACE, retry_damaged_s=0)
    path = segment_path(SPACE, BROKEN)
    write_segment(bucket, SPACE, [photo("b")])
    bucket.create(path, b"not a segment")
    assert len(patient.refresh().damaged) == len(eager.refresh().damaged) == 1
    gcs_double.requests.clear()
    patient.refresh()
    assert not [asked for _, asked in gcs_double.requests if asked.startswith("/download")]
    gcs_double.put("photos", path, segment_bytes(SPACE, Entries.from_entries([photo("a")])))
    assert patient.refresh().photos == 1
    healed = eager.refresh()
    assert (healed.photos, healed.damaged) == (2, ())
    bucket.close()


def test_nothing_but_damage_is_nothing_and_named(bucket: Bucket) -> None:
    bucket.create(segment_path(SPACE, BROKEN), b"not a segment")
    reader = SnapshotReader(bucket, SPACE)
    for _ in range(2):
        snapshot = reader.refresh()
        assert (snapshot.photos, snapshot.damaged_segments) == (0, {BROKEN})
    write_segment(bucket, SPACE, [photo("a")])
    assert reader.refresh().photos == 1


def test_damage_is_logged_once(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    bucket.create(segment_path(SPACE, BROKEN), b"not a segment")
    write_segment(bucket, SPACE, [photo("a")])
    reader = SnapshotReader(bucket, SPACE, retry_damaged_s=0)
    for _ in range(3):
        reader.refresh()
    assert caplog.text.count(BROKEN) == 1


def test_sources_that_are_still_there_stand_in_for_a_damaged_merge(bucket: Bucket) -> None:
    old = write_segment(bucket, SPACE, [photo("a"), photo("b")])
    bucket.create(segment_path(SPACE, BROKEN), b"cut")
    publish_commit(bucket, Commit(SPACE, 1, (BROKEN,), {old: BROKEN}))
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    assert state(snapshot).keys() == {"a", "b"}
    assert len(snapshot.damaged) == 1


def test_damage_stays_known_while_its_sources_stand_in(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE, retry_damaged_s=0)
    old = write_segment(bucket, SPACE, [photo("a")])
    reader.refresh()
    write_segment(bucket, SPACE, [photo("b")])
    bucket.create(segment_path(SPACE, BROKEN), b"cut")
    assert len(reader.refresh().damaged) == 1
    publish_commit(bucket, Commit(SPACE, 1, (BROKEN,), {old: BROKEN}))
    for _ in range(2):
        snapshot = reader.refresh()
        assert (snapshot.photos, len(snapshot.damaged)) == (2, 1)


def test_a_damaged_newest_commit_is_named_and_the_one_before_it_serves(bucket: Bucket) -> None:
    first = write_segment(bucket, SPACE, [photo("a"), photo("b")])
    second = merge(bucket, first, entries=[photo("a"), photo("b")])
    bucket.delete(segment_path(SPACE, first))
    reader = SnapshotReader(bucket, SPACE)
    third = write_segment(bucket, SPACE, [photo("a"), photo("b"), photo("c")])
    bucket.create(commit_path(SPACE, 2), b'{"format": 1')
    bucket.delete(segment_path(SPACE, second))  # only the unreadable commit names it
    snapshot = reader.refresh()
    assert third
    assert (snapshot.commit, state(snapshot).keys()) == (1, {"a", "b", "c"})
    assert snapshot.damaged[0].startswith(f"{commit_path(SPACE, 2)}: ")
    assert reader.refresh() is snapshot


def test_a_segment_of_another_dimension_is_set_aside(bucket: Bucket) -> None:
    write_segment(bucket, SPACE, [photo("a", vector=unit(1, 0, 0, 0))])
    reader = SnapshotReader(bucket, SPACE)
    reader.refresh()
    name = write_segment(bucket, SPACE, [photo("b", vector=unit(1, 0))])
    snapshot = reader.refresh()
    reason = "its vectors have 2 dimensions, those of other segments 4"
    assert snapshot.damaged == (f"{segment_path(SPACE, name)}: {reason}",)
    assert state(snapshot).keys() == {"a"}


def test_one_segment_of_another_dimension_does_not_make_all_others_wrong(bucket: Bucket) -> None:
    wrong = write_segment(bucket, SPACE, [photo("a", vector=unit(1, 0))])
    for name in "bc":
        write_segment(bucket, SPACE, [photo(name, vector=unit(1, 0, 0, 0))])
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    assert state(snapshot).keys() == {"b", "c"}
    assert wrong in snapshot.damaged[0]

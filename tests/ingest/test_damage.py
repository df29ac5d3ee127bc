"""Damage to the index, of each kind and at each place: named by /status, and healed by
reconciling and compacting; nothing of it stays for ever."""

import io
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from clipsearch.index import compaction
from clipsearch.index.compaction.run import GRACE
from clipsearch.index.format.commits import commit_path, newest_commit
from clipsearch.index.format.segments import entries_of, segment_bytes
from clipsearch.storage import open_bucket
from tests.index.making import npz
from tests.support.pictures import jpeg


@pytest.fixture
def index(cloud):
    """The index bucket, before there is a model or a photo in it."""
    return open_bucket((cloud.root / "index").as_uri())


def fill(cloud, count=20):
    """So many photos in as many segments."""
    for number in range(count):
        assert cloud.send(*cloud.put(f"{number}.jpg", jpeg())) == 200


def compact(cloud, index):
    """Merge what can be merged, and a long time later delete what is left over from that."""
    later = datetime.now(UTC) + 2 * GRACE
    for now in (datetime.now(UTC), later, later + timedelta(hours=1)):
        report = compaction.compact(index, cloud.space, time.monotonic() + 60, now)
        assert report.finished
    return report


def cut(data, space):
    return data[: len(data) // 2]


def flipped(data, space):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]


def of_a_newer_version(data, space):
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return npz(**{**arrays, "format": np.int32(2)})


def of_another_space(data, space):
    return segment_bytes("f" * 12, entries_of("", space, data))


def gone(data, space):
    return None


KINDS = [cut, flipped, of_another_space, gone]


def spoil(cloud, name, kind):
    path = cloud.root / "index" / name
    data = kind(path.read_bytes(), cloud.space)
    path.unlink()
    if data is not None:
        path.write_bytes(data)


def objects_named(cloud):
    return {damaged["object"] for damaged in cloud.status()["damaged"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_merged_segment_is_named_replaced_and_deleted(cloud, index, kind):
    fill(cloud)
    compact(cloud, index)
    [merged] = index.list(f"{cloud.space}/segments/")
    assert cloud.send(*cloud.put("loose.jpg", jpeg())) == 200
    spoil(cloud, merged.name, kind)
    assert objects_named(cloud) == {merged.name}
    assert list(cloud.photos_found()) == ["loose.jpg"]
    compact(cloud, index)
    assert objects_named(cloud) == {merged.name}  # until somebody has looked what is missing

    assert cloud.reconcile() == 200
    assert cloud.photos_found() == cloud.in_bucket()
    assert objects_named(cloud) == set()
    assert cloud.counts() == (21, 21, 0, 0)
    report = compact(cloud, index)
    assert report.damaged == ()
    assert merged.name not in {stat.name for stat in index.list()}
    assert cloud.photos_found() == cloud.in_bucket()


@pytest.mark.parametrize("ahead_us", [5 * 86_400_000_000, None], ids=["days", "centuries"])
def test_a_record_from_the_future_keeps_no_damage(cloud, index, ahead_us):
    fill(cloud, 3)
    assert cloud.reconcile() == 200
    [record] = index.list(f"{cloud.space}/reconciles/")
    at = time.time_ns() // 1000 + ahead_us if ahead_us else 2**64 - 1
    name = f"{cloud.space}/reconciles/{at:016x}-0123456789ab/0000.npz"
    index.create(name, index.read(record.name))
    loose = list(index.list(f"{cloud.space}/segments/"))[1]
    spoil(cloud, loose.name, cut)
    cloud.put("later.jpg", jpeg())
    assert cloud.reconcile() == 200
    assert (cloud.counts(), objects_named(cloud)) == ((4, 4, 0, 0), set())
    assert cloud.reconcile() == 200
    assert name not in {stat.name for stat in index.list()}


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_so_is_one_that_no_commit_knows(cloud, index, kind):
    fill(cloud, 3)
    loose = list(index.list(f"{cloud.space}/segments/"))[1]
    spoil(cloud, loose.name, kind)
    assert objects_named(cloud) == {loose.name}
    assert cloud.reconcile() == 200
    assert (cloud.counts(), objects_named(cloud)) == ((3, 3, 0, 0), set())
    compact(cloud, index)
    assert loose.name not in {stat.name for stat in index.list()}
    assert cloud.photos_found() == cloud.in_bucket()


def test_what_a_newer_version_wrote_is_named_and_stays(cloud, index):
    """Its photos are indexed again, so that this version finds them."""
    fill(cloud)
    compact(cloud, index)
    [merged] = index.list(f"{cloud.space}/segments/")
    assert cloud.send(*cloud.put("loose.jpg", jpeg())) == 200
    [loose] = {stat.name for stat in index.list(f"{cloud.space}/segments/")} - {merged.name}
    for name in (merged.name, loose):
        spoil(cloud, name, of_a_newer_version)
    newer = {name: index.read(name) for name in (merged.name, loose)}
    for _ in range(2):
        assert cloud.reconcile() == 200
        compact(cloud, index)
    assert cloud.photos_found() == cloud.in_bucket()
    assert cloud.counts() == (21, 21, 0, 0)
    assert objects_named(cloud) == newer.keys()
    assert {name: index.read(name) for name in newer} == newer
    assert (
        newest_commit(index, cloud.space)
        .replaced.keys()
        .isdisjoint(name.rpartition("/")[2] for name in newer)
    )
    reasons = {damaged["reason"] for damaged in cloud.status()["damaged"]}
    assert all("a newer version of clipsearch wrote it" in reason for reason in reasons)


def test_the_deletion_in_a_damaged_segment_is_made_again(cloud, index):
    fill(cloud, 2)
    before = {stat.name for stat in index.list(f"{cloud.space}/segments/")}
    assert cloud.send(*cloud.delete("0.jpg")) == 200
    [tombstone] = {stat.name for stat in index.list(f"{cloud.space}/segments/")} - before
    spoil(cloud, tombstone, cut)
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == cloud.in_bucket()
    compact(cloud, index)
    assert list(cloud.photos_found()) == ["1.jpg"]


def test_what_was_merged_into_a_damaged_segment_counts_again(cloud, index):
    fill(cloud)
    compaction.compact(index, cloud.space, time.monotonic() + 60, datetime.now(UTC))
    [merged] = newest_commit(index, cloud.space).segments
    spoil(cloud, f"{cloud.space}/segments/{merged}", cut)
    before = len(cloud.segments())
    assert cloud.reconcile() == 200
    assert len(cloud.segments()) == before  # nothing was indexed again
    assert objects_named(cloud) == set()
    compact(cloud, index)
    assert cloud.photos_found() == cloud.in_bucket()
    assert len(cloud.segments()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_of_nothing_but_damage_without_photos_becomes_an_empty_one(cloud, index, kind):
    fill(cloud)
    compact(cloud, index)
    for segment in index.list(f"{cloud.space}/segments/"):
        spoil(cloud, segment.name, kind)
    for number in range(20):
        (cloud.root / "photos" / f"{number}.jpg").unlink()
    assert len(objects_named(cloud)) == 1
    assert cloud.reconcile() == 200
    assert (cloud.counts(), objects_named(cloud)) == ((0, 0, 0, 0), set())
    compact(cloud, index)
    assert list(index.list(f"{cloud.space}/segments/")) == []
    assert cloud.send(*cloud.put("new.jpg", jpeg())) == 200
    assert cloud.photos_found() == cloud.in_bucket()


@pytest.mark.parametrize("kind", [cut, flipped, gone])
def test_damaged_commits_go(cloud, index, kind):
    fill(cloud)
    compact(cloud, index)
    newest = commit_path(cloud.space, newest_commit(index, cloud.space).number)
    spoil(cloud, newest, kind)
    assert objects_named(cloud) == (set() if kind is gone else {newest})
    assert cloud.photos_found() == cloud.in_bucket()
    assert cloud.send(*cloud.put("more.jpg", jpeg())) == 200
    compact(cloud, index)
    assert objects_named(cloud) == set()
    assert cloud.photos_found() == cloud.in_bucket()
    assert len(list(index.list(f"{cloud.space}/commits/"))) <= 2


def test_what_was_mended_before_it_was_discarded_stays(cloud, index):
    fill(cloud, 3)
    loose = next(iter(index.list(f"{cloud.space}/segments/")))
    data = index.read(loose.name)
    spoil(cloud, loose.name, cut)
    path = cloud.root / "index" / loose.name
    compaction.discard(index, cloud.space, {"unknown.npz"})
    assert objects_named(cloud) == {loose.name}
    path.write_bytes(data)
    compaction.discard(index, cloud.space, {path.name})
    assert newest_commit(index, cloud.space).number == 0
    assert cloud.photos_found() == cloud.in_bucket()

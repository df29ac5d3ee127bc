"""A reader with concurrent merges sees each merge completely or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.segments import segment_path, segments_prefix, write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket
from clipsearch.storage.gcs import GcsBucket
from tests.index.making import SPACE, photo, tombstone, unit
from tests.index.reader.reading import facts_of, merge, state
from tests.support.buckets import Hook, HookedBucket
from tests.support.gcs_double import CloudStorageDouble


def at_the_first_listing(work: Callable[[], object]) -> Hook:
    """Run `work` once, when the segments are listed."""
    works = [work]

    def hook(method: str, name: str) -> None:
        if (method, name) == ("list", segments_prefix(SPACE)) and works:
            works.pop()()

    return hook


def test_replaced_segments_are_left_out(bucket: Bucket) -> None:
    old = write_segment(bucket, SPACE, [photo("a"), photo("purged")])
    merge(bucket, old, entries=[photo("a")])
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    assert (state(snapshot), snapshot.commit) == ({"a": (1, 1)}, 1)


def test_segments_after_the_commit_count(bucket: Bucket) -> None:
    old = write_segment(bucket, SPACE, [photo("a")])
    merge(bucket, old, entries=[photo("a")])
    write_segment(bucket, SPACE, [tombstone("a")])
    assert SnapshotReader(bucket, SPACE).refresh().photos == 0


def test_a_running_reader_follows_a_merge(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE)
    names = [write_segment(bucket, SPACE, [photo(str(i), i)]) for i in range(3)]
    before = reader.refresh()
    merged = merge(bucket, *names, entries=[photo(str(i), i) for i in range(3)])
    after = reader.refresh()
    assert (before.commit, after.commit) == (0, 1)
    assert facts_of(after) == facts_of(before)
    assert len(after.catalogue.rows) == 3  # no second copy of merged entries
    for name in names:
        bucket.delete(segment_path(SPACE, name))
    publish_commit(bucket, Commit(SPACE, 2, (merged,)))
    assert facts_of(reader.refresh()) == facts_of(before)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_merge_beside_the_listing_is_seen_whole(bucket: Bucket, when: str) -> None:
    """The merge ends just before the listing, or between it and the read of the commit."""
    old = write_segment(bucket, SPACE, [photo("a"), photo("b"), photo("purged")])

    def compact() -> None:
        merge(bucket, old, entries=[photo("a"), photo("b")])
        if when == "after":
            bucket.delete(segment_path(SPACE, old))

    hooked = HookedBucket(bucket, **{when: at_the_first_listing(compact)})
    snapshot = SnapshotReader(hooked, SPACE).refresh()
    assert (snapshot.commit, state(snapshot)) == (1, {"a": (1, 1), "b": (1, 1)})


def test_a_segment_that_vanishes_makes_the_reader_look_again(bucket: Bucket) -> None:
    """After the listing, a commit is published that no longer names the replaced segments."""
    old = write_segment(bucket, SPACE, [photo("a"), photo("b")])
    kept = write_segment(bucket, SPACE, [photo("c")])

    def compact() -> None:
        merged = merge(bucket, old, entries=[photo("a"), photo("b")])
        bucket.delete(segment_path(SPACE, old))
        publish_commit(bucket, Commit(SPACE, 2, (merged,)))

    hooked = HookedBucket(bucket, after=at_the_first_listing(compact))
    snapshot = SnapshotReader(hooked, SPACE).refresh()
    assert (snapshot.commit, snapshot.photos) == (2, 3)
    assert kept


def test_what_was_merged_of_known_segments_is_not_downloaded(
    gcs_double: CloudStorageDouble,
) -> None:
    bucket = GcsBucket("gs://photos")
    reader = SnapshotReader(bucket, SPACE)
    names = [write_segment(bucket, SPACE, [photo(str(i))]) for i in range(3)]
    reader.refresh()
    once = write_segment(bucket, SPACE, [photo("0"), photo("1")])
    twice = write_segment(bucket, SPACE, [photo("0"), photo("1"), photo("2")])
    replaced = {names[0]: once, names[1]: once, once: twice, names[2]: twice}
    publish_commit(bucket, Commit(SPACE, 2, (twice,), replaced))
    gcs_double.requests.clear()
    snapshot = reader.refresh()
    assert (snapshot.commit, snapshot.photos) == (2, 3)
    downloads = [path for _, path in gcs_double.requests if path.startswith("/download")]
    assert [path for path in downloads if "segments" in path] == []
    bucket.close()


def test_a_merge_of_something_unknown_is_downloaded(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE)
    seen = write_segment(bucket, SPACE, [photo("a")])
    reader.refresh()
    unseen = write_segment(bucket, SPACE, [photo("b")])
    merge(bucket, seen, unseen, entries=[photo("a"), photo("b")])
    bucket.delete(segment_path(SPACE, unseen))
    assert state(reader.refresh()).keys() == {"a", "b"}


def test_a_reader_that_has_slept_for_long_starts_over(bucket: Bucket) -> None:
    """The reader does not miss a tombstone that was added and purged meanwhile."""
    reader, index = SnapshotReader(bucket, SPACE, start_over_after_s=0.0), PhotoIndex()
    names = [write_segment(bucket, SPACE, [photo(name)]) for name in "ab"]
    index.update(reader.refresh())
    kept = write_segment(bucket, SPACE, [photo("b"), photo("c")])
    publish_commit(bucket, Commit(SPACE, 1, (kept,), dict.fromkeys(names, kept)))
    for name in names:
        bucket.delete(segment_path(SPACE, name))
    snapshot = reader.refresh()
    assert state(snapshot).keys() == {"b", "c"}
    index.update(snapshot)
    assert {hit.name for hit in index.search(unit(1, 0, 0, 0), 9)} == {"b", "c"}

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.index.format.commits import Commit, commit_path, publish_commit
from clipsearch.index.format.entries import Entries, Entry
from clipsearch.index.format.segments import (
    new_segment_name,
    segment_bytes,
    segment_path,
    segments_prefix,
    write_segment,
)
from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket
from clipsearch.storage.gcs import GcsBucket
from clipsearch.storage.local import FolderBucket
from tests.index.making import (
    SPACE,
    Facts,
    entries_lists,
    facts,
    failure,
    photo,
    tombstone,
    unit,
)
from tests.support.buckets import Hook, HookedBucket
from tests.support.gcs_double import CloudStorageDouble


def state(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """Name to (generation, kind)."""
    return {name: (generation, kind) for name, generation, kind, *_ in facts_of(snapshot)}


def facts_of(snapshot: Snapshot) -> Facts:
    return facts(snapshot.entries, vectors=False)


def merge(bucket: Bucket, *names: str, number: int = 1, entries: list[Entry]) -> str:
    """What compaction does, but for deleting: write the merged segment, publish."""
    merged = write_segment(bucket, SPACE, entries)
    publish_commit(bucket, Commit(SPACE, number, (merged,), dict.fromkeys(names, merged)))
    return merged


def at_the_first_listing(work: Callable[[], object]) -> Hook:
    """What does this `work` once, when the segments are listed."""
    works = [work]

    def hook(method: str, name: str) -> None:
        if (method, name) == ("list", segments_prefix(SPACE)) and works:
            works.pop()()

    return hook


def test_nothing_at_all_is_an_empty_snapshot(bucket: Bucket) -> None:
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    assert (snapshot.space, snapshot.commit) == (SPACE, 0)
    assert (snapshot.photos, snapshot.failures, snapshot.updated) == (0, 0, None)
    assert len(snapshot.entries) == 0


def test_a_snapshot_is_the_state_of_each_photo(bucket: Bucket) -> None:
    write_segment(bucket, SPACE, [photo("a", 1), photo("b", 1, time_us=5), failure("c", 1)])
    write_segment(bucket, SPACE, [tombstone("b", 1, time_us=1_700_000_000_000_001)])
    write_segment(bucket, SPACE, [photo("a", 2), failure("d", 1, "no picture")])
    write_segment(bucket, "ba9876543210", [photo("other space")])
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    assert state(snapshot) == {"a": (2, 1), "b": (1, 2), "c": (1, 0), "d": (1, 0)}
    assert (snapshot.photos, snapshot.failures) == (1, 2)
    assert snapshot.updated == datetime.fromtimestamp(1_700_000_000, UTC).replace(microsecond=1)
    reasons = {snapshot.entries.reason(row) for row in range(len(snapshot.entries))}
    assert reasons == {None, "broken", "no picture"}


@settings(max_examples=40, deadline=None)
@given(st.data(), entries_lists(["a", "b", "c"]), st.randoms(use_true_random=False))
def test_the_same_events_in_any_order_doubled_and_split_give_the_same_snapshot(
    data: st.DataObject, entries: list[Entry], chance: random.Random
) -> None:
    expected = Entries.from_entries(entries)
    expected = expected.take(expected.winners())
    events = entries + data.draw(st.lists(st.sampled_from(entries), max_size=6))
    chance.shuffle(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=4)))
    parts = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True) if a < b]
    with tempfile.TemporaryDirectory() as folder:
        bucket = FolderBucket(Path(folder))
        incremental, index = SnapshotReader(bucket, SPACE), PhotoIndex()
        for part in parts:
            write_segment(bucket, SPACE, part)
            if chance.random() < 0.5:
                index.update(incremental.refresh())
        for snapshot in (incremental.refresh(), SnapshotReader(bucket, SPACE).refresh()):
            assert facts_of(snapshot) == facts(expected.without_vectors(), vectors=False)
            assert snapshot.photos == len(expected.vectors)
        index.update(incremental.refresh())
    vectors = {
        (hit.name, hit.generation, index.vector_of(hit.name).tobytes())
        for hit in index.search(unit(1, 0, 0, 0), 10)
    }
    assert vectors == {(name, g, v) for name, g, _, _, _, _, v, _ in facts(expected) if v}


def test_without_news_the_snapshot_is_the_same_object(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE)
    assert reader.refresh() is reader.refresh()
    write_segment(bucket, SPACE, [photo("a")])
    assert reader.refresh() is reader.refresh()


def test_only_new_segments_are_read(gcs_double: CloudStorageDouble) -> None:
    bucket = GcsBucket("gs://photos")
    reader = SnapshotReader(bucket, SPACE)
    for i in range(5):
        write_segment(bucket, SPACE, [photo(str(i))])
    reader.refresh()
    new = write_segment(bucket, SPACE, [photo("new")])
    gcs_double.requests.clear()
    assert reader.refresh().photos == 6
    downloads = [path for _, path in gcs_double.requests if path.startswith("/download")]
    assert len(downloads) == 1
    assert new in downloads[0]
    bucket.close()


def test_an_older_snapshot_stays_as_it_was(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE)
    write_segment(bucket, SPACE, [photo("a"), failure("b")])
    before = reader.refresh()
    write_segment(bucket, SPACE, [tombstone("a"), photo("b", 2), photo("c")])
    after = reader.refresh()
    assert state(before) == {"a": (1, 1), "b": (1, 0)}
    assert (before.photos, before.failures) == (1, 1)
    assert state(after) == {"a": (1, 2), "b": (2, 1), "c": (1, 1)}


def test_a_segment_whose_name_sorts_first_is_read_all_the_same(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE)
    write_segment(bucket, SPACE, [photo("a")])
    reader.refresh()
    slow_clock = segment_path(SPACE, new_segment_name(1))
    bucket.create(slow_clock, segment_bytes(SPACE, Entries.from_entries([photo("b")])))
    assert state(reader.refresh()).keys() == {"a", "b"}


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
    merge(bucket, *names, entries=[photo(str(i), i) for i in range(3)])
    after = reader.refresh()
    assert (before.commit, after.commit) == (0, 1)
    assert facts_of(after) == facts_of(before)
    assert len(after.catalogue.rows) == 3  # the merged copies are not held again
    for name in names:
        bucket.delete(segment_path(SPACE, name))
    publish_commit(bucket, Commit(SPACE, 2, (merge_name(bucket),)))
    assert facts_of(reader.refresh()) == facts_of(before)


def merge_name(bucket: Bucket) -> str:
    (stat,) = bucket.list(segments_prefix(SPACE))
    return stat.name.removeprefix(segments_prefix(SPACE))


def test_a_merge_between_listing_and_the_commit_is_seen_whole(bucket: Bucket) -> None:
    old = write_segment(bucket, SPACE, [photo("a"), photo("b")])

    def compact() -> None:
        merge(bucket, old, entries=[photo("a"), photo("b")])
        bucket.delete(segment_path(SPACE, old))

    hooked = HookedBucket(bucket, after=at_the_first_listing(compact))
    snapshot = SnapshotReader(hooked, SPACE).refresh()
    assert (snapshot.commit, snapshot.photos) == (1, 2)


def test_a_merge_just_before_the_listing_is_seen_whole(bucket: Bucket) -> None:
    old = write_segment(bucket, SPACE, [photo("a"), photo("purged")])

    def compact() -> None:
        merge(bucket, old, entries=[photo("a")])

    hooked = HookedBucket(bucket, before=at_the_first_listing(compact))
    snapshot = SnapshotReader(hooked, SPACE).refresh()
    assert (snapshot.commit, state(snapshot)) == (1, {"a": (1, 1)})


def test_a_segment_that_vanishes_makes_the_reader_look_again(bucket: Bucket) -> None:
    """A commit that no longer mentions what it replaced came while we had the old listing."""
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


def test_a_segment_that_is_missing_for_good_is_damage_that_is_named(bucket: Bucket) -> None:
    reader = SnapshotReader(bucket, SPACE)
    write_segment(bucket, SPACE, [photo("a")])
    before = reader.refresh()
    publish_commit(bucket, Commit(SPACE, 1, ("lost.npz",)))
    for snapshot in (reader.refresh(), SnapshotReader(bucket, SPACE).refresh()):
        assert snapshot.photos == 1
        assert snapshot.damaged == (f"{SPACE}/segments/lost.npz: it is not there",)
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
    merge(bucket, first, entries=[photo("a"), photo("b")])
    second = merge_name_besides(bucket, first)
    bucket.delete(segment_path(SPACE, first))
    reader = SnapshotReader(bucket, SPACE)
    third = write_segment(bucket, SPACE, [photo("a"), photo("b"), photo("c")])
    bucket.create(commit_path(SPACE, 2), b'{"format": 1')
    bucket.delete(segment_path(SPACE, second))  # which only the unreadable commit could tell
    snapshot = reader.refresh()
    assert third
    assert (snapshot.commit, state(snapshot).keys()) == (1, {"a", "b", "c"})
    assert snapshot.damaged[0].startswith(f"{commit_path(SPACE, 2)}: ")
    assert reader.refresh() is snapshot


def merge_name_besides(bucket: Bucket, name: str) -> str:
    paths = {stat.name for stat in bucket.list(segments_prefix(SPACE))}
    (path,) = paths - {segment_path(SPACE, name)}
    return path.removeprefix(segments_prefix(SPACE))


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
    """A tombstone that came and went meanwhile is not missed."""
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


def test_a_segment_of_another_dimension_is_set_aside(bucket: Bucket) -> None:
    write_segment(bucket, SPACE, [photo("a", vector=unit(1, 0, 0, 0))])
    reader = SnapshotReader(bucket, SPACE)
    reader.refresh()
    name = write_segment(bucket, SPACE, [photo("b", vector=unit(1, 0))])
    snapshot = reader.refresh()
    reason = "its vectors have 2 numbers, those of others 4"
    assert snapshot.damaged == (f"{segment_path(SPACE, name)}: {reason}",)
    assert state(snapshot).keys() == {"a"}


def test_one_segment_of_another_dimension_does_not_make_all_others_wrong(bucket: Bucket) -> None:
    wrong = write_segment(bucket, SPACE, [photo("a", vector=unit(1, 0))])
    for name in "bc":
        write_segment(bucket, SPACE, [photo(name, vector=unit(1, 0, 0, 0))])
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    assert state(snapshot).keys() == {"b", "c"}
    assert wrong in snapshot.damaged[0]


def test_many_threads_may_refresh_while_others_write(bucket: Bucket) -> None:
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()

    def write(i: int) -> None:
        write_segment(bucket, SPACE, [photo(f"p{i % 7}", i)])

    def refresh(_: int) -> None:
        index.update(reader.refresh())

    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(job, i) for i in range(30) for job in (write, refresh)]
        for job in jobs:
            job.result()
    snapshot = reader.refresh()
    index.update(snapshot)
    assert state(snapshot) == {f"p{i % 7}": (i, 1) for i in range(30)}
    assert {hit.generation for hit in index.search(unit(1, 0, 0, 0), 50)} == set(range(23, 30))


def test_what_is_no_segment_is_left_alone(bucket: Bucket) -> None:
    bucket.create(f"{SPACE}/segments/notes.txt", b"who put this here?")
    assert SnapshotReader(bucket, SPACE).refresh().photos == 0


def test_a_reader_may_let_the_vectors_go(bucket: Bucket) -> None:
    write_segment(bucket, SPACE, [photo("a.jpg", 1, unit(1, 0))])
    snapshot = SnapshotReader(bucket, SPACE, keep_vectors=False).refresh()
    assert snapshot.photos == 1
    assert snapshot.fresh.next(1) is None

"""From the objects in a bucket to a snapshot."""

from __future__ import annotations

import random
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.index.format.entries import Entries, Entry
from clipsearch.index.format.segments import (
    new_segment_name,
    segment_bytes,
    segment_path,
    write_segment,
)
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket
from clipsearch.storage.gcs import GcsBucket
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, entries_lists, facts, failure, photo, tombstone, unit
from tests.index.reader.reading import facts_of, state
from tests.support.gcs_double import CloudStorageDouble


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
    assert vectors == {(name, g, v) for name, g, _, _, _, _, v, *_ in facts(expected) if v}


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

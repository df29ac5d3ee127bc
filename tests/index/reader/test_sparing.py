"""A sparing reader makes few requests, and still finds every usual upload at once."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from cli.costs.assumptions import LISTINGS_PER_MINUTE
from clipsearch.index import compaction
from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.segments import segment_bytes, segment_path, write_segment
from clipsearch.index.reader import watch
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage.gcs import GcsBucket
from tests.index.making import SPACE, photo
from tests.support.gcs_double import CloudStorageDouble

MINUTE = 60


class Clock:
    """The reader's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    return clock


def write_at(bucket: GcsBucket, seconds: float, name: str) -> None:
    """An upload whose writer's clock shows `seconds` since 1970."""
    segment = f"{int(1e6 * seconds):016x}-{len(name):012x}.npz"
    data = segment_bytes(SPACE, Entries.from_entries([photo(name)]))
    bucket.create(segment_path(SPACE, segment), data)


def kinds_of(double: CloudStorageDouble) -> Counter[str]:
    """How many listings (class A) and reads (class B) there were since the last call."""
    kinds = Counter(
        "list" if "/o?" in asked and not asked.startswith("/download") else "read"
        for method, asked in double.requests
        if method == "GET"
    )
    double.requests.clear()
    return kinds


@pytest.mark.parametrize("segments", [1, 900])
def test_a_minute_of_refreshes_lists_once_each_and_reads_nothing(
    gcs_double: CloudStorageDouble, clock: Clock, segments: int
) -> None:
    gcs_double.page_size = 1000
    bucket = GcsBucket("gs://photos")
    for i in range(segments):
        write_at(bucket, clock.now - 3600 - i, f"{i}")
    reader = SnapshotReader(bucket, SPACE, is_sparing=True)
    reader.refresh()
    kinds_of(gcs_double)
    for _ in range(40):
        clock.now += 1.5
        reader.refresh()
    found = kinds_of(gcs_double)
    assert found["read"] == 0
    assert 40 <= found["list"] <= LISTINGS_PER_MINUTE
    bucket.close()


@pytest.mark.parametrize("ahead", [-60, -30, 0, 60, 86_400])
def test_an_upload_is_found_although_clocks_differ(
    gcs_double: CloudStorageDouble, clock: Clock, ahead: int
) -> None:
    bucket = GcsBucket("gs://photos")
    write_at(bucket, clock.now, "a")
    reader = SnapshotReader(bucket, SPACE, is_sparing=True)
    assert reader.refresh().photos == 1
    write_at(bucket, clock.now + ahead, "ab")
    assert reader.refresh().photos == 2
    write_at(bucket, clock.now, "abc")  # after a name from a clock that is ahead
    assert reader.refresh().photos == 3
    bucket.close()


def test_a_name_from_a_clock_that_is_far_behind_is_found_within_a_minute(
    gcs_double: CloudStorageDouble, clock: Clock
) -> None:
    bucket = GcsBucket("gs://photos")
    write_at(bucket, clock.now, "a")
    reader = SnapshotReader(bucket, SPACE, is_sparing=True)
    reader.refresh()
    write_at(bucket, clock.now - 3600, "ab")
    assert reader.refresh().photos == 1
    clock.now += MINUTE
    assert reader.refresh().photos == 2
    bucket.close()


def test_a_merge_is_not_read_again_and_its_deleted_sources_are_no_damage(
    gcs_double: CloudStorageDouble, clock: Clock
) -> None:
    bucket = GcsBucket("gs://photos")
    for i in range(64):
        write_segment(bucket, SPACE, [photo(f"{i}")])
    reader = SnapshotReader(bucket, SPACE, is_sparing=True)
    assert reader.refresh().photos == 64
    compaction.compact(bucket, SPACE, time.monotonic() + 60, datetime.now(UTC))
    kinds_of(gcs_double)
    for _ in range(3):
        clock.now += watch.COMMITS_EVERY_S
        snapshot = reader.refresh()
        assert (snapshot.photos, snapshot.damaged) == (64, ())
    assert snapshot.commit == newest_commit(bucket, SPACE).number
    for stat in list(bucket.list(f"{SPACE}/segments/")):
        if stat.name.rpartition("/")[2] not in newest_commit(bucket, SPACE).segments:
            bucket.delete(stat.name)
    assert reader.refresh().damaged == ()
    assert SnapshotReader(bucket, SPACE, is_sparing=True).refresh().photos == 64
    bucket.close()

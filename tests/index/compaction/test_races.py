"""Runs that lose races, end early or are killed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from clipsearch.index.compaction import Report, merge, purge, run
from clipsearch.index.format.commits import (
    Commit,
    commit_path,
    list_commits,
    newest_commit,
    publish_commit,
)
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import write_segment
from tests.index.compaction.running import (
    DAY,
    compact,
    fill,
    filled,
    seen,
    segments,
    settle,
    truth,
    without_vectors,
)
from tests.index.making import SPACE, photo, tombstone
from tests.support.buckets import HookedBucket
from tests.support.memory import MemoryBucket


def test_a_commit_that_another_run_has_swept_is_not_missed(bucket: MemoryBucket) -> None:
    for number in (1, 2):
        publish_commit(bucket, Commit(SPACE, number, (), {}))
        bucket.later(run.GRACE)

    def be_faster(method: str, name: str) -> None:
        if method == "read":
            bucket.delete(commit_path(SPACE, 2))

    publish_commit(bucket, Commit(SPACE, 3, (), {}))
    assert compact(HookedBucket(bucket, before=be_faster), bucket).finished


def test_a_run_ends_at_its_deadline_and_the_next_one_goes_on(
    bucket: MemoryBucket, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "MAX_SOURCES", 4)
    fill(bucket, 12)
    ends = time.monotonic() + 3600
    hooked = HookedBucket(bucket, after=lambda method, name: end_after_commit(method, name))
    one = run.Run(hooked, SPACE, ends, bucket.now)

    def end_after_commit(method: str, name: str) -> None:
        if method == "create" and "/commits/" in name:
            one.deadline = time.monotonic()

    assert not merge.merge_all(one)
    assert one.report.merges == 1
    assert compact(bucket, seconds=0) == Report()
    assert not compact(bucket, seconds=10).finished  # the purge is for longer runs
    assert len(newest_commit(bucket, SPACE).segments) == 1
    assert compact(bucket).finished
    assert len(seen(bucket)) == 12


def test_who_loses_the_race_for_a_number_takes_the_next(bucket: MemoryBucket) -> None:
    fill(bucket, 20)
    other = write_segment(bucket, "other", [photo("x")])

    def be_faster(method: str, name: str) -> None:
        if name == commit_path(SPACE, 1) and not list_commits(bucket, SPACE):
            publish_commit(bucket, Commit(SPACE, 1, (), {"unrelated.npz": other}))

    compact(HookedBucket(bucket, before=be_faster), bucket)
    commit = newest_commit(bucket, SPACE)
    assert (commit.number, len(commit.segments), len(commit.replaced)) == (3, 1, 21)


def always_faster(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch, races: int
) -> tuple[HookedBucket, list[str]]:
    """Other runs win every race; an hour passes at the last of `races`. Also returns the lost
    numbers."""
    clock, lost = time.monotonic, list[str]()
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 3600 * (len(lost) >= races))

    def be_faster(method: str, name: str) -> None:
        if method == "create" and "/commits/" in name:
            newest = newest_commit(bucket, SPACE)
            publish_commit(bucket, replace(newest, number=newest.number + 1))
            lost.append(name)

    return HookedBucket(bucket, before=be_faster), lost


@pytest.mark.parametrize("races", [1, 3])
def test_who_loses_every_race_for_a_number_ends_at_the_deadline(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch, races: int
) -> None:
    fill(bucket, 20)
    before = truth(bucket)
    with monkeypatch.context() as patch:
        losing, lost = always_faster(bucket, patch, races)
        assert compact(losing, bucket) == Report()
    assert len(lost) == races
    assert truth(bucket) == before
    assert compact(bucket).finished  # the written segment stayed loose and is merged now
    assert truth(bucket) == before
    assert len(newest_commit(bucket, SPACE).segments) == 1


def test_a_purge_that_could_not_say_so_is_not_finished(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bucket, 20)
    compact(bucket)
    bucket.later(DAY)
    purged = newest_commit(bucket, SPACE).purged
    with monkeypatch.context() as patch:
        losing, lost = always_faster(bucket, patch, 2)
        assert not purge.purge_tombstones(run.Run(losing, SPACE, time.monotonic() + 60, bucket.now))
    assert len(lost) == 2
    assert newest_commit(bucket, SPACE).purged == purged
    assert compact(bucket).finished
    assert newest_commit(bucket, SPACE).purged == bucket.now


def test_of_two_merges_of_the_same_segments_one_counts(bucket: MemoryBucket) -> None:
    fill(bucket, 20)
    before = truth(bucket)

    def be_faster(method: str, name: str) -> None:
        if name == commit_path(SPACE, 1) and not list_commits(bucket, SPACE):
            compact(bucket)

    compact(HookedBucket(bucket, before=be_faster), bucket)
    assert len(newest_commit(bucket, SPACE).segments) == 1
    assert len(segments(bucket)) == 22  # the loser's segment is loose and harmless
    assert seen(bucket) == without_vectors(before)
    settle(bucket)
    bucket.later(DAY)
    settle(bucket)
    assert truth(bucket) == before
    assert sum(newest_commit(bucket, SPACE).sizes.values()) <= 21


def test_a_merge_is_not_written_when_others_were_faster(bucket: MemoryBucket) -> None:
    fill(bucket, 20)
    once = threading.Lock()  # several threads read the segments

    def be_faster(method: str, name: str) -> None:
        if method == "read" and once.acquire(blocking=False):
            compact(bucket)

    compact(HookedBucket(bucket, before=be_faster), bucket)
    assert len(segments(bucket)) == 21


def test_what_a_killed_run_left_is_merged_like_any_other(bucket: MemoryBucket) -> None:
    class Killed(BaseException):
        pass

    def kill(method: str, name: str) -> None:
        if method == "create" and "/commits/" in name:
            raise Killed

    fill(bucket, 20)
    before = truth(bucket)
    with pytest.raises(Killed):
        compact(HookedBucket(bucket, before=kill), bucket)
    assert len(segments(bucket)) == 21
    assert seen(bucket) == without_vectors(before)
    settle(bucket)
    assert len(segments(bucket)) == 1
    assert truth(bucket) == before


def test_a_merge_under_way_brings_nothing_back(bucket: MemoryBucket, small: None) -> None:
    """The merge has read a photo whose old tombstone another run would drop before it writes."""
    for name in "pq":
        write_segment(bucket, SPACE, [photo(name)])

    def be_faster(method: str, name: str) -> None:
        if method == "create" and not list_commits(bucket, SPACE):
            for name in "pr":
                write_segment(bucket, SPACE, [tombstone(name, 1, time_us=1)])
            compact(bucket)
            assert newest_commit(bucket, SPACE).purged

    compact(HookedBucket(bucket, before=be_faster), bucket)
    assert {fact[0] for fact in seen(bucket) if fact[2] == Kind.VECTOR} == {"q"}
    settle(bucket)
    assert {fact[0] for fact in seen(bucket) if fact[2] == Kind.VECTOR} == {"q"}


def test_a_purge_gives_up_when_another_has_published(bucket: MemoryBucket) -> None:
    filled(bucket, deleted=6)
    before = truth(bucket)
    bucket.later(DAY)

    def be_faster(method: str, name: str) -> None:
        if method == "create" and newest_commit(bucket, SPACE).purged != bucket.now:
            assert compact(bucket).purged_entries == 6

    report = compact(HookedBucket(bucket, before=be_faster), bucket)
    assert (report.purged_entries, report.finished) == (0, False)
    assert sorted(newest_commit(bucket, SPACE).sizes.values()) == [6, 14]
    settle(bucket)
    assert truth(bucket) == before

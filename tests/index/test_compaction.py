"""What one run of compaction does, and what it must not do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from clipsearch.errors import DamagedObject, StorageError
from clipsearch.index import compaction
from clipsearch.index.compaction import Report, merge, purge, run
from clipsearch.index.compaction.build_packs import pack
from clipsearch.index.format.commits import (
    Commit,
    commit_path,
    list_commits,
    newest_commit,
    publish_commit,
)
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.segments import (
    new_segment_name,
    read_segment,
    segment_path,
    segments_prefix,
    write_segment,
)
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from tests.index.making import (
    SPACE,
    Facts,
    facts,
    failure,
    photo,
    random_units,
    tombstone,
    unit,
)
from tests.support.buckets import HookedBucket
from tests.support.memory import START, MemoryBucket

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def now_us(bucket: MemoryBucket) -> int:
    return int(bucket.now.timestamp() * 1e6)


def compact(bucket: Any, memory: MemoryBucket | None = None, seconds: float = 60) -> Report:
    now = (memory or bucket).now
    return compaction.compact(bucket, SPACE, time.monotonic() + seconds, now)


def settle(bucket: MemoryBucket) -> None:
    """Two runs with more than GRACE before each: what can be cleaned up is."""
    for _ in range(2):
        bucket.later(run.GRACE)
        assert compact(bucket).finished


def segments(bucket: MemoryBucket) -> list[str]:
    return [n.removeprefix(segments_prefix(SPACE)) for n in bucket.names(segments_prefix(SPACE))]


def truth(bucket: MemoryBucket) -> Facts:
    """The index by the merge rule, over all objects: what every reader must see."""
    parts = []
    for name in segments(bucket):
        with suppress(DamagedObject):
            parts.append(read_segment(bucket, SPACE, name))
    entries = Entries.concat(parts)
    return facts(entries.take(entries.winners()))


def seen(bucket: MemoryBucket) -> Facts:
    return facts(SnapshotReader(bucket, SPACE).refresh().entries, vectors=False)


def without_vectors(found: Facts) -> Facts:
    return {(*fact[:6], None, fact[7]) for fact in found}


@pytest.fixture
def bucket() -> Iterator[MemoryBucket]:
    return MemoryBucket()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiers of 2, 4 and 8 entries, and full segments of more: merges of few entries."""
    monkeypatch.setattr(merge, "FANOUT", 2)
    monkeypatch.setattr(merge, "MAX_SEGMENT", 16)


def fill(bucket: MemoryBucket, count: int, start: int = 0) -> list[str]:
    vectors = random_units(count, 4, seed=start)
    return [
        write_segment(bucket, SPACE, [photo(f"p{start + i}", 1, vector, now_us(bucket))])
        for i, vector in enumerate(vectors)
    ]


def test_few_segments_wait_for_more(bucket: MemoryBucket) -> None:
    fill(bucket, merge.FANOUT - 1)
    assert compact(bucket) == Report(finished=True)
    assert bucket.names() == bucket.names(segments_prefix(SPACE))


def test_many_small_segments_become_one_with_the_same_entries(bucket: MemoryBucket) -> None:
    write_segment(bucket, SPACE, [failure("bad", 3, "broken"), tombstone("gone", 2)])
    sources = sorted([*segments(bucket), *fill(bucket, 40)])
    before = truth(bucket)
    report = compact(bucket)
    assert (report.merges, report.merged_entries, report.finished) == (1, 42, True)
    commit = newest_commit(bucket, SPACE)
    (merged,) = commit.segments
    assert (commit.number, commit.sizes) == (2, {merged: 42})  # 2: the purge was noted
    assert commit.replaced == dict.fromkeys(sources, merged)
    assert facts(read_segment(bucket, SPACE, merged)) == before
    assert seen(bucket) == without_vectors(before)


def test_a_few_are_merged_too_when_they_have_waited_long_enough(bucket: MemoryBucket) -> None:
    fill(bucket, 3)
    bucket.later(run.GRACE)
    fill(bucket, 2, start=3)
    assert compact(bucket).merged_entries == 5


def test_a_merge_drops_what_lost_and_keeps_tombstones(bucket: MemoryBucket) -> None:
    for generation in range(1, 20):
        write_segment(bucket, SPACE, [photo("a", generation), photo("b", generation)])
    write_segment(bucket, SPACE, [tombstone("b", 19)])
    compact(bucket)
    (merged,) = newest_commit(bucket, SPACE).segments
    entries = read_segment(bucket, SPACE, merged)
    assert {(f[0], f[1], f[2]) for f in facts(entries)} == {
        ("a", 19, Kind.VECTOR),
        ("b", 19, Kind.TOMBSTONE),
    }


def test_replaced_segments_and_old_commits_are_deleted_after_the_grace(
    bucket: MemoryBucket, small: None
) -> None:
    for start in range(0, 30, 3):
        fill(bucket, 3, start)
        compact(bucket)
        bucket.later(timedelta(minutes=5))
    before = truth(bucket)
    assert len(segments(bucket)) > 30  # nothing is deleted yet
    settle(bucket)
    commit = newest_commit(bucket, SPACE)
    assert set(segments(bucket)) == set(commit.segments)
    assert len(list_commits(bucket, SPACE)) <= 2
    assert truth(bucket) == before
    assert seen(bucket) == without_vectors(before)
    fill(bucket, 3, start=30)
    compact(bucket)
    assert newest_commit(bucket, SPACE).replaced.keys() & set(commit.replaced) == set()


def test_a_commit_that_another_run_has_swept_is_not_missed(bucket: MemoryBucket) -> None:
    for number in (1, 2):
        publish_commit(bucket, Commit(SPACE, number, (), {}))
        bucket.later(run.GRACE)

    def be_faster(method: str, name: str) -> None:
        if method == "read":
            bucket.delete(commit_path(SPACE, 2))

    publish_commit(bucket, Commit(SPACE, 3, (), {}))
    assert compact(HookedBucket(bucket, before=be_faster), bucket).finished


def test_nothing_is_deleted_before_the_grace_is_over(bucket: MemoryBucket) -> None:
    sources = fill(bucket, 20)
    compact(bucket)
    bucket.later(run.GRACE - timedelta(seconds=1))
    compact(bucket)
    assert set(sources) < set(segments(bucket))
    bucket.later(timedelta(seconds=1))
    assert compact(bucket).deleted_objects >= 20
    assert not set(sources) & set(segments(bucket))


def test_every_entry_is_written_once_per_tier(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "FANOUT", 4)
    monkeypatch.setattr(merge, "MAX_SEGMENT", 4**4)
    written = 0
    for start in range(0, 512, 4):
        fill(bucket, 4, start)
        written += compact(bucket).merged_entries
    assert 2 * 512 < written <= 4 * 512
    commit = newest_commit(bucket, SPACE)
    assert sum(commit.sizes.values()) == 512
    assert max(commit.sizes.values()) <= 4**4
    assert len(commit.segments) <= 3 * 4 + 4


def test_a_full_segment_is_not_merged_again(bucket: MemoryBucket, small: None) -> None:
    for start in range(0, 96, 8):
        fill(bucket, 8, start)
        compact(bucket)
    assert max(newest_commit(bucket, SPACE).sizes.values()) <= 16
    full = {name for name, size in newest_commit(bucket, SPACE).sizes.items() if size > 8}
    assert full
    fill(bucket, 8, start=96)
    compact(bucket)
    assert full <= set(newest_commit(bucket, SPACE).segments)


def test_a_merge_takes_no_more_than_a_segment_may_hold(bucket: MemoryBucket, small: None) -> None:
    for start in (0, 10, 20):
        write_segment(bucket, SPACE, [photo(f"p{start + i}") for i in range(10)])
    assert compact(bucket).finished
    assert list(newest_commit(bucket, SPACE).sizes.values()) == [10, 10]  # one waits


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
    """Others publish each number first; an hour passes with the last of so many `races`. And
    the numbers that were lost."""
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
    assert compact(bucket).finished  # what was written stayed loose, and is merged
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


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_commit_whose_number_none_could_follow_changes_nothing(
    bucket: MemoryBucket, is_whole: bool
) -> None:
    fill(bucket, 20)
    before = truth(bucket)
    planted = commit_path(SPACE, 999_999_999_999)
    if is_whole:  # nothing else is wrong with it
        elsewhere = MemoryBucket()
        publish_commit(elsewhere, Commit(SPACE, 1, ("gone.npz",)))
        document = json.loads(elsewhere.read(commit_path(SPACE, 1)))
        del document["checksum"]  # which is not asked for
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
    assert planted in bucket.names()  # not ours to delete


def test_of_two_merges_of_the_same_segments_one_counts(bucket: MemoryBucket) -> None:
    fill(bucket, 20)
    before = truth(bucket)

    def be_faster(method: str, name: str) -> None:
        if name == commit_path(SPACE, 1) and not list_commits(bucket, SPACE):
            compact(bucket)

    compact(HookedBucket(bucket, before=be_faster), bucket)
    assert len(newest_commit(bucket, SPACE).segments) == 1
    assert len(segments(bucket)) == 22  # that of the loser is loose, and does no harm
    assert seen(bucket) == without_vectors(before)
    settle(bucket)
    bucket.later(DAY)
    settle(bucket)
    assert truth(bucket) == before
    assert sum(newest_commit(bucket, SPACE).sizes.values()) <= 21


def test_a_merge_is_not_written_when_others_were_faster(bucket: MemoryBucket) -> None:
    fill(bucket, 20)
    once = threading.Lock()  # the segments are read by several threads

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
    assert "2 numbers, those of others 4" in line
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
    compact(bucket)  # once is enough
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


# The purge


def filled(bucket: MemoryBucket, deleted: int) -> None:
    """20 photos in one segment, of which the first have been deleted; all sources are gone."""
    fill(bucket, 20)
    compact(bucket)
    for i in range(deleted):
        write_segment(bucket, SPACE, [tombstone(f"p{i}", 1, now_us(bucket))])
    settle(bucket)
    assert len(segments(bucket)) == (2 if deleted else 1)


def test_a_segment_is_rewritten_when_a_third_of_it_is_dead(bucket: MemoryBucket) -> None:
    filled(bucket, deleted=6)
    before = truth(bucket)
    bucket.later(DAY)
    assert compact(bucket).purged_entries == 6
    assert sorted(newest_commit(bucket, SPACE).sizes.values()) == [6, 14]
    assert truth(bucket) == before
    assert seen(bucket) == without_vectors(before)
    settle(bucket)
    assert len(segments(bucket)) == 2
    assert truth(bucket) == before


def test_a_segment_with_less_is_not_rewritten(bucket: MemoryBucket) -> None:
    filled(bucket, deleted=5)
    bucket.later(DAY)
    assert compact(bucket).purged_entries == 0
    assert sorted(newest_commit(bucket, SPACE).sizes.values()) == [5, 20]


def test_the_index_is_purged_once_a_day(bucket: MemoryBucket) -> None:
    fill(bucket, 20)
    compact(bucket)
    number = newest_commit(bucket, SPACE).number
    bucket.later(DAY - timedelta(seconds=1))
    compact(bucket)
    assert newest_commit(bucket, SPACE).number == number
    bucket.later(timedelta(seconds=1))
    compact(bucket)
    assert newest_commit(bucket, SPACE).number == number + 1
    assert newest_commit(bucket, SPACE).purged == bucket.now


def test_tombstones_go_when_nothing_older_can_come_or_is_left(bucket: MemoryBucket) -> None:
    filled(bucket, deleted=20)
    for _ in range(6):
        bucket.later(DAY)
        compact(bucket)
    assert [fact[2] for fact in truth(bucket)] == [Kind.TOMBSTONE] * 20
    bucket.later(DAY)
    compact(bucket)
    settle(bucket)
    # Of each segment one entry stays, as there is no segment without.
    assert len(truth(bucket)) <= 2
    assert not any(fact[2] == Kind.VECTOR for fact in truth(bucket))


@pytest.mark.parametrize("place", ["loose", "replaced", "committed", "damaged"])
def test_a_tombstone_stays_while_anything_may_speak_of_its_photo(
    bucket: MemoryBucket, place: str
) -> None:
    filled(bucket, deleted=8)
    bucket.later(DAY)
    compact(bucket)  # the vectors of the deleted ones are gone
    settle(bucket)
    bucket.later(8 * DAY)
    alive = write_segment(bucket, SPACE, [photo("p0", 1)])  # a killed run's, say
    if place == "damaged":
        bucket.create(segment_path(SPACE, new_segment_name(1)), b"who knows?")
    if place in ("replaced", "damaged"):
        newest = newest_commit(bucket, SPACE)
        replaced = {**newest.replaced, alive: newest.segments[0]}
        publish_commit(bucket, Commit(SPACE, newest.number + 1, newest.segments, replaced))
    if place == "committed":
        newest = newest_commit(bucket, SPACE)
        both = (*newest.segments, alive)
        publish_commit(bucket, Commit(SPACE, newest.number + 1, both))
    compact(bucket)
    committed = [read_segment(bucket, SPACE, n) for n in newest_commit(bucket, SPACE).segments]
    tombstones = {
        fact[0] for entries in committed for fact in facts(entries) if fact[2] == Kind.TOMBSTONE
    }
    assert "p0" in tombstones
    assert ("p1" in tombstones) == (place == "damaged")
    assert ("p0", Kind.VECTOR) not in {(f[0], f[2]) for f in truth(bucket)}


def test_a_merge_under_way_brings_nothing_back(bucket: MemoryBucket, small: None) -> None:
    """It has read a photo whose old tombstone others would drop before it writes."""
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


def test_the_purge_waits_while_the_index_is_being_filled(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "MAX_OBJECTS", 20)
    fill(bucket, 20)
    assert not compact(bucket).finished
    assert newest_commit(bucket, SPACE).purged is None


def test_storage_trouble_reaches_the_caller(bucket: MemoryBucket) -> None:
    def fail(method: str, name: str) -> None:
        raise StorageError(f"{method} {name}")

    fill(bucket, 20)
    with pytest.raises(StorageError):
        compact(HookedBucket(bucket, before=fail), bucket)


# Packs


def test_packs_and_quantizers_without_use_are_deleted(bucket: MemoryBucket) -> None:
    """But what a killed run has made with the quantizer in use stays: the next one finds it."""
    (replaced, *_) = fill(bucket, 40)
    compact(bucket)
    write_segment(bucket, SPACE, [photo("q")] * 20)
    bucket.later(run.GRACE)
    compact(bucket)
    one, two = newest_commit(bucket, SPACE).segments

    def pack(segment: str, quantizer: str) -> str:
        return f"{SPACE}/packs/{segment[:-4]}-{quantizer}-64.pack"

    def quantizer(name: str) -> str:
        return f"{SPACE}/quantizers/000000000040-{name}.npz"

    old = [quantizer("aa"), pack(replaced, "bb"), pack(one, "aa")]
    used = [quantizer("bb"), pack(one, "bb"), quantizer("cc"), pack(two, "cc")]
    begun = [pack(one, "cc")]
    unpublished = [quantizer("dd"), pack(one, "dd"), pack(two, "dd")]
    for name in old + used + begun + unpublished:
        bucket.create(name, name.encode())
        bucket.later(timedelta(seconds=1))
    newest = newest_commit(bucket, SPACE)
    packs = {one: used[1], two: used[3]}
    following = replace(newest, number=newest.number + 1, packs=packs, quantizer=used[2])
    publish_commit(bucket, following)
    settle(bucket)
    left = {*bucket.names(f"{SPACE}/packs/"), *bucket.names(f"{SPACE}/quantizers/")}
    assert left == {*used, *begun}


def hardly_a_photo(bucket: MemoryBucket, photos: int) -> Commit | None:
    """A large space with so many, packed."""
    entries = [photo("only", 1, unit(*[1] * 16)), *(tombstone(f"p{i}") for i in range(300))]
    write_segment(bucket, SPACE, entries[1 - photos :])
    bucket.later(run.GRACE)
    compact(bucket)
    deadline = time.monotonic() + 60
    return pack(bucket, newest_commit(bucket, SPACE), deadline, lambda: unit(*[1] * 16), 1, 1)


def test_a_large_space_with_hardly_a_photo_can_be_packed(bucket: MemoryBucket) -> None:
    following = hardly_a_photo(bucket, 1)
    assert following
    assert len(following.packs) == 1


def test_a_large_space_without_a_photo_is_packed_when_it_has_some(bucket: MemoryBucket) -> None:
    assert hardly_a_photo(bucket, 0) is None
    assert not bucket.names(f"{SPACE}/quantizers/")
    vectors = random_units(30, 16)
    write_segment(bucket, SPACE, [photo(f"n{i}", 1, vectors[i]) for i in range(30)])
    following = hardly_a_photo(bucket, 0)
    assert following
    assert len(following.packs) == 1


def test_the_purge_reads_packs_and_not_their_segments(bucket: MemoryBucket) -> None:
    vectors = random_units(300, 16)
    for start in range(0, 300, 15):
        entries = [photo(f"p{i}", 1, vectors[i]) for i in range(start, start + 15)]
        write_segment(bucket, SPACE, entries)
    compact(bucket)
    newest = newest_commit(bucket, SPACE)
    following = pack(
        bucket, newest, time.monotonic() + 60, lambda: None, exact_limit=1, worth_packing=1
    )
    assert following
    publish_commit(bucket, replace(following, number=newest.number + 1))
    settle(bucket)
    bucket.later(DAY)
    read: list[str] = []
    hooked = HookedBucket(bucket, before=lambda m, name: read.append(name) if "read" in m else None)
    assert compact(hooked, bucket).finished
    assert newest_commit(bucket, SPACE).purged == bucket.now
    assert {name for name in read if "/packs/" in name} == set(following.packs.values())
    assert not [name for name in read if name.startswith(segments_prefix(SPACE))]
    for i in range(100):
        write_segment(bucket, SPACE, [tombstone(f"p{i}", 1, now_us(bucket))])
    settle(bucket)
    bucket.delete(next(iter(following.packs.values())))  # then the segment will do
    bucket.later(DAY)
    assert compact(bucket).purged_entries == 100
    settle(bucket)
    assert bucket.names(f"{SPACE}/packs/") == []


def test_a_damaged_segment_with_a_sound_pack_does_not_hold_up_the_purge(
    bucket: MemoryBucket,
) -> None:
    vectors = random_units(40, 16)
    names = [
        write_segment(
            bucket, SPACE, [photo(f"p{i}", 1, vectors[i]) for i in range(start, start + 20)]
        )
        for start in (0, 20)
    ]
    commit = Commit(SPACE, 1, tuple(names), sizes=dict.fromkeys(names, 20))
    following = pack(
        bucket, commit, time.monotonic() + 60, lambda: None, exact_limit=1, worth_packing=1
    )
    assert following
    publish_commit(bucket, following)
    bucket.delete(segment_path(SPACE, names[0]))
    bucket.create(segment_path(SPACE, names[0]), b"damaged")
    for i in (*range(10), *range(20, 30)):
        write_segment(bucket, SPACE, [tombstone(f"p{i}", 1, now_us(bucket))])
    report = compact(bucket)
    assert (report.purged_entries, report.finished, len(report.damaged)) == (10, True, 1)
    assert newest_commit(bucket, SPACE).purged == bucket.now
    assert len(seen(bucket)) == 40


def test_a_merge_of_many_vectors_keeps_them_with_their_names(bucket: MemoryBucket) -> None:
    vectors = random_units(600, 8, seed=3)
    for start in range(0, 600, 20):
        entries = [photo(f"p{i}", 1, vectors[i]) for i in range(start, start + 20)]
        write_segment(bucket, SPACE, entries)
    compact(bucket)
    (merged,) = newest_commit(bucket, SPACE).segments
    entries = read_segment(bucket, SPACE, merged)
    for row in range(600):
        assert np.array_equal(entries.vectors[row], vectors[int(entries.name(row)[1:])])
    assert bucket.now == START

"""Obsolete entries: when they are purged and when they must stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clipsearch.index.compaction import purge
from clipsearch.index.format.commits import Commit, newest_commit, publish_commit
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import (
    new_segment_name,
    read_segment,
    segment_path,
    segments_prefix,
    write_segment,
)
from tests.index.compaction.running import (
    DAY,
    bury,
    compact,
    fill,
    filled,
    seen,
    segments,
    settle,
    truth,
    without_vectors,
)
from tests.index.making import SPACE, facts, photo
from tests.index.packed import packed, publish_packed
from tests.support.buckets import HookedBucket
from tests.support.memory import MemoryBucket


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
    # One entry of each segment stays: a segment cannot be empty.
    assert len(truth(bucket)) <= 2
    assert not any(fact[2] == Kind.VECTOR for fact in truth(bucket))


@pytest.mark.parametrize("place", ["loose", "replaced", "committed", "damaged"])
def test_a_tombstone_stays_while_anything_may_speak_of_its_photo(
    bucket: MemoryBucket, place: str
) -> None:
    filled(bucket, deleted=8)
    bucket.later(DAY)
    compact(bucket)  # drops the vectors of deleted photos
    settle(bucket)
    bucket.later(8 * DAY)
    alive = write_segment(bucket, SPACE, [photo("p0", 1)])  # as left by a killed run
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


def test_the_purge_waits_while_the_index_is_being_filled(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "MAX_OBJECTS", 20)
    fill(bucket, 20)
    assert not compact(bucket).finished
    assert newest_commit(bucket, SPACE).purged is None


def test_the_purge_reads_packs_and_not_their_segments(bucket: MemoryBucket) -> None:
    fill(bucket, 300, each=15, dimension=16)
    compact(bucket)
    newest = newest_commit(bucket, SPACE)
    following = packed(bucket, newest, direction=None, exact_limit=1, worth_packing=1)
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
    bury(bucket, range(100))
    settle(bucket)
    bucket.delete(next(iter(following.packs.values())))  # the purge then reads the segment
    bucket.later(DAY)
    assert compact(bucket).purged_entries == 100
    settle(bucket)
    assert bucket.names(f"{SPACE}/packs/") == []


def test_a_damaged_segment_with_a_sound_pack_does_not_hold_up_the_purge(
    bucket: MemoryBucket,
) -> None:
    names = fill(bucket, 40, each=20, dimension=16)
    commit = Commit(SPACE, 1, tuple(names), sizes=dict.fromkeys(names, 20))
    publish_packed(bucket, commit, direction=None, exact_limit=1, worth_packing=1)
    bucket.delete(segment_path(SPACE, names[0]))
    bucket.create(segment_path(SPACE, names[0]), b"damaged")
    bury(bucket, (*range(10), *range(20, 30)))
    report = compact(bucket)
    assert (report.purged_entries, report.finished, len(report.damaged)) == (10, True, 1)
    assert newest_commit(bucket, SPACE).purged == bucket.now
    assert len(seen(bucket)) == 40

"""Many small segments become one, with the same entries."""

from __future__ import annotations

import numpy as np
import pytest

from clipsearch.index.compaction import Report, merge, run
from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import read_segment, segments_prefix, write_segment
from tests.index.compaction.running import compact, fill, seen, segments, truth, without_vectors
from tests.index.making import SPACE, facts, failure, photo, random_units, tombstone
from tests.support.memory import START, MemoryBucket


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
    assert (commit.number, commit.sizes) == (2, {merged: 42})  # 2: the purge published one too
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


def test_a_merge_of_many_vectors_keeps_them_with_their_names(bucket: MemoryBucket) -> None:
    vectors = random_units(600, 8)
    fill(bucket, 600, each=20, dimension=8)
    compact(bucket)
    (merged,) = newest_commit(bucket, SPACE).segments
    entries = read_segment(bucket, SPACE, merged)
    for row in range(600):
        assert np.array_equal(entries.vectors[row], vectors[int(entries.name(row)[1:])])
    assert bucket.now == START

"""Unused objects are deleted after the grace period, not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from clipsearch.index.compaction import run
from clipsearch.index.format.commits import list_commits, newest_commit, publish_commit
from clipsearch.index.format.segments import write_segment
from tests.index.compaction.running import (
    compact,
    fill,
    seen,
    segments,
    settle,
    truth,
    without_vectors,
)
from tests.index.making import SPACE, photo
from tests.support.memory import MemoryBucket


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


def test_nothing_is_deleted_before_the_grace_is_over(bucket: MemoryBucket) -> None:
    sources = fill(bucket, 20)
    compact(bucket)
    bucket.later(run.GRACE - timedelta(seconds=1))
    compact(bucket)
    assert set(sources) < set(segments(bucket))
    bucket.later(timedelta(seconds=1))
    assert compact(bucket).deleted_objects >= 20
    assert not set(sources) & set(segments(bucket))


def test_packs_and_quantizers_without_use_are_deleted(bucket: MemoryBucket) -> None:
    """Packs of a killed run that use the current quantizer stay: the next run reuses them."""
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

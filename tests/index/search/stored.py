"""Indexes that leave rows in the bucket, and what compaction does to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.entries import Entry
from clipsearch.index.format.segments import segment_path
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.bucket_shard import BucketShard
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket
from tests.index.making import SPACE
from tests.index.packed import (
    DIMENSION,
    VECTORS,
    commit_of,
    packed,
)

SMALL = 1200  # all of them are candidates
ROW = 2 * DIMENSION  # bytes


class Searched:
    """An index with rows in the bucket, and its reader."""

    def __init__(self, bucket: Bucket, threads: int = 1, **options: Any) -> None:
        self.reader = SnapshotReader(bucket, SPACE, most_rows=0, **options)
        self.index = PhotoIndex(threads)
        self.refresh()

    def refresh(self) -> None:
        self.snapshot = self.reader.refresh()
        self.index.update(self.snapshot)

    @property
    def stored(self) -> list[BucketShard]:
        return [shard for shard in self.index.shards if isinstance(shard, BucketShard)]


def merged(bucket: Bucket, before: Commit, entries: list[Entry], **options: Any) -> Commit:
    """Compaction's result: one segment instead of all, and its pack. Old objects are there."""
    [name] = (one := commit_of(bucket, entries)).segments
    following = replace(
        one, number=before.number + 1, replaced=dict.fromkeys(before.segments, name)
    )
    following = (
        packed(bucket, replace(following, quantizer=before.quantizer), **options) or following
    )
    publish_commit(bucket, following)
    return following


def sweep(bucket: Bucket, commit: Commit) -> None:
    for segment, pack in commit.packs.items():
        bucket.delete(pack)
        bucket.delete(segment_path(SPACE, segment))


def check_all(index: PhotoIndex, count: int) -> None:
    hits = index.search(VECTORS[0], count + 1)
    assert sorted(hit.name for hit in hits) == [f"{i:05}" for i in range(count)]
    assert index.search(VECTORS[count - 1], 1)[0].name == f"{count - 1:05}"

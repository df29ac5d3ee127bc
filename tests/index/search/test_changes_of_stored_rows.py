"""An index that leaves rows in the bucket goes on while uploads and compaction change it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import RowsLost
from clipsearch.index.format.commits import publish_commit
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.bucket_shard import BucketShard
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, photo, tombstone
from tests.index.packed import (
    VECTORS,
    commit_of,
    photos,
    publish_packed,
)
from tests.index.search.stored import ROW, Searched, check_all, merged, sweep


def test_uploads_and_deletions_count_while_rows_are_in_the_bucket(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    publish_packed(bucket, commit_of(bucket, photos(0, 1000)))
    searched = Searched(bucket)
    write_segment(bucket, SPACE, [tombstone("00003", 1), photo("00004", 2, -VECTORS[4])])
    write_segment(bucket, SPACE, photos(1000, 1010))
    searched.refresh()
    names = {hit.name for hit in searched.index.search(VECTORS[3], 1009)}
    assert len(names) == 1009
    assert "00003" not in names
    assert searched.index.search(-VECTORS[4], 1)[0].generation == 2
    assert searched.index.search(VECTORS[1005], 1)[0].name == "01005"


@pytest.mark.usefixtures("_all_candidates")
def test_a_running_index_moves_to_the_packs_of_merged_segments(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    before = publish_packed(bucket, commit_of(bucket, photos(0, 400), photos(400, 800)))
    loose = write_segment(bucket, SPACE, photos(800, 900))
    searched = Searched(bucket)
    assert len(searched.index.shards) == 2
    after = merged(bucket, before, photos(0, 900))
    publish_commit(
        bucket, replace(after, number=3, replaced={**after.replaced, loose: after.segments[0]})
    )
    searched.refresh()
    sweep(bucket, before)
    (shard,) = searched.index.shards  # the loose photos too
    assert shard.live == 900
    assert isinstance(shard, BucketShard)
    assert len(shard.units) == 1  # nothing of the old ones is left
    check_all(searched.index, 900)


@pytest.mark.usefixtures("_all_candidates")
def test_a_search_of_an_old_state_says_that_its_rows_are_gone(tmp_path: Path) -> None:
    """As after a sleep: the next refresh has what is there."""
    bucket = FolderBucket(tmp_path)
    before = publish_packed(bucket, commit_of(bucket, photos(0, 400), photos(400, 800)))
    searched = Searched(bucket, is_sparing=True)
    merged(bucket, before, photos(0, 800))
    sweep(bucket, before)
    with pytest.raises(RowsLost, match="it is missing"):
        searched.index.search(VECTORS[0], 5)
    searched.refresh()
    assert searched.snapshot.damaged == ()
    check_all(searched.index, 800)


@pytest.mark.usefixtures("_all_candidates")
def test_where_merged_segments_have_no_pack_the_index_starts_over(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    before = publish_packed(bucket, commit_of(bucket, photos(0, 400), photos(400, 800)))
    searched = Searched(bucket)
    merged(bucket, before, photos(0, 800), exact_limit=10_000)
    searched.refresh()
    check_all(searched.index, 800)  # of the old packs
    sweep(bucket, before)
    fresh = Searched(bucket)
    searched.index.search(VECTORS[0], 5)  # these rows are kept
    searched.stored[0].stored.store._kept.clear()
    with pytest.raises(RowsLost):
        searched.index.search(VECTORS[0], 5)
    searched.refresh()
    for each in (searched, fresh):
        assert each.stored == []
        check_all(each.index, 800)


@pytest.mark.parametrize("threads", [4])
def test_searches_while_the_index_changes(tmp_path: Path, threads: int) -> None:
    """Deletions, merges and deleted packs: each answer is right, or says that rows are gone."""
    bucket = FolderBucket(tmp_path)
    commit = publish_packed(bucket, commit_of(bucket, photos(0, 300), photos(300, 600)))
    searched, lock = Searched(bucket), threading.Lock()
    problems: list[BaseException] = []
    has_ended = threading.Event()

    def search(seed: int) -> None:
        chance = np.random.default_rng(seed)
        try:
            while not has_ended.is_set():
                number = int(chance.integers(50, 600))
                try:
                    hits = searched.index.search(VECTORS[number], 3)
                except RowsLost:
                    with lock:
                        searched.refresh()
                    continue
                assert hits[0].name == f"{number:05}"
        except BaseException as problem:
            problems.append(problem)

    searchers = [threading.Thread(target=search, args=(seed,)) for seed in range(threads)]
    for searcher in searchers:
        searcher.start()
    for number in range(8):
        write_segment(bucket, SPACE, [tombstone(f"{number:05}", 1)])
        following = merged(bucket, commit, photos(number + 1, 600))
        if number % 2:
            with lock:
                searched.refresh()
        sweep(bucket, commit)
        commit = following
    has_ended.set()
    for searcher in searchers:
        searcher.join()
    assert problems == []
    with lock:
        searched.refresh()
    assert searched.snapshot.photos == 592
    assert len(searched.index.search(VECTORS[300], 700)) == 592


def test_rows_leave_the_memory_when_they_become_too_many(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    first = publish_packed(bucket, commit_of(bucket, photos(0, 300)))
    reader, index = SnapshotReader(bucket, SPACE, most_rows=400 * ROW), PhotoIndex()
    index.update(reader.refresh())
    assert index.most_compared is None
    more = commit_of(bucket, photos(300, 600))
    following = replace(first, number=2, segments=first.segments + more.segments)
    publish_packed(bucket, replace(following, sizes={**first.sizes, **more.sizes}))
    index.update(reader.refresh())
    (shard,) = index.shards
    assert isinstance(shard, BucketShard)
    assert shard.live == 600
    assert index.search(VECTORS[5], 1)[0].name == "00005"

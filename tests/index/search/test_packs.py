"""Searching by the codes of packs finds nearly the same as an exact search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, photo, tombstone
from tests.index.packed import (
    COMMON,
    COUNT,
    VECTORS,
    clustered,
    coded,
    commit_of,
    exactly,
    loaded,
    packed,
    photos,
    publish_packed,
    texts,
)
from tests.index.search.library import all_pages, pairs


def test_a_packed_library_is_found_as_one_that_is_not_packed(library: FolderBucket) -> None:
    index, snapshot = loaded(library)
    assert (snapshot.photos, snapshot.failures, snapshot.damaged) == (COUNT, 1, ())
    assert len(coded(index)) == 1
    assert sum(len(shard.rows) for shard in index.shards[1:]) == 100
    assert index.quantized(20) == COUNT - 100
    assert index.quantized(200) == 0  # with this many candidates, all photos are compared
    for queries, at_least in ((texts(40), 0.95), (clustered(40, seed=5), 0.95)):
        right = [
            len(
                {hit.name for hit in index.search(query, 20)}
                & set(exactly(query, range(COUNT), 20))
            )
            for query in queries
        ]
        assert sum(right) / 20 / len(queries) >= at_least


def test_texts_need_the_direction_that_they_have_in_common(tmp_path: Path) -> None:
    """Without it, candidates are much worse: the other codes hardly encode it."""
    recalls = []
    for name, direction in (("with", COMMON), ("without", None)):
        bucket = FolderBucket(tmp_path / name)
        publish_packed(bucket, commit_of(bucket, photos(0, COUNT)), direction=direction)
        index, snapshot = loaded(bucket)
        (shard,) = coded(index)
        right = 0
        for query in texts(40):
            _, places = shard.scan.index.search(query[None], 20)
            names = {snapshot.catalogue.rows.name(int(row)) for row in shard.rows[places[0]]}
            right += len(names & set(exactly(query, range(COUNT), 10)))
        recalls.append(right / 400)
    assert recalls[0] > recalls[1] + 0.1


def test_pages_never_repeat_a_photo_and_end_with_the_last(library: FolderBucket) -> None:
    index, _ = loaded(library)
    query = texts(3)[2]
    found = all_pages(index, query, 700)
    assert found == sorted(found, key=lambda hit: (-hit[0], hit[1]))
    names = [name for _, name in found]
    assert len(set(names)) == len(names)
    assert len(names) >= COUNT - 7  # only photos that the first page missed may be missing
    assert pairs(index.search(query, 10)) == pairs(index.search(query, 10))


def test_what_comes_after_a_hit_is_exact(library: FolderBucket) -> None:
    index, _ = loaded(library)
    for query in texts(10):
        first = index.search(query, 1)[0]
        everything = exactly(query, range(COUNT), 60)
        begin = everything.index(first.name) + 1
        after = index.search(query, 50, (first.score, first.name))
        assert len({h.name for h in after} & set(everything[begin : begin + 50])) >= 49


def test_several_threads_find_the_same(
    library: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.index.search.quantized_shard.WORTH_A_THREAD", 1000)
    alone, _ = loaded(library, threads=1)
    together, _ = loaded(library, threads=3)
    assert len(coded(together)) == 3
    for query in texts(10):
        one, three = alone.search(query, 10), together.search(query, 10)
        assert len({h.name for h in one} & {h.name for h in three}) >= 9
        assert together.vector_of(one[0].name).tobytes() == alone.vector_of(one[0].name).tobytes()


def test_a_photo_of_a_pack_gives_its_vector_and_scores_one_with_it(library: FolderBucket) -> None:
    index, _ = loaded(library)
    for name in ("00000", "02499", "04999", "07899", "07950"):
        vector = index.vector_of(name)
        assert vector.dtype == np.float32
        assert abs(vector - VECTORS[int(name)]).max() < 1e-3
        assert index.search(vector, 1)[0].name == name
    with pytest.raises(PhotoNotIndexed):
        index.vector_of("broken")


def test_deleted_and_replaced_photos_of_packs_are_not_found(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    publish_packed(bucket, commit_of(bucket, photos(0, COUNT)))
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
    index.update(reader.refresh())
    query = VECTORS[7]
    best = [hit.name for hit in index.search(query, 20)]
    write_segment(bucket, SPACE, [tombstone(name, 1) for name in best])
    write_segment(bucket, SPACE, [photo("00007", 2, -VECTORS[7])])
    index.update(reader.refresh())
    cold, _ = loaded(bucket)
    for each in (index, cold):
        hits = each.search(query, 20)
        assert len(hits) == 20
        assert not {hit.name for hit in hits} & set(best)
        assert pairs(each.search(-query, 1)) == [(1.0, "00007")]
    write_segment(bucket, SPACE, [tombstone(f"{i:05}", 2) for i in range(COUNT)])
    index.update(reader.refresh())
    assert index.search(query, 5) == []
    assert coded(index) == []


def test_packs_of_two_quantizers_are_searched_side_by_side(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    one = packed(bucket, commit_of(bucket, photos(0, 2000)))
    other = packed(bucket, commit_of(bucket, photos(2000, 4000)))
    assert one
    assert other
    both = Commit(SPACE, 1, one.segments + other.segments, packs={**one.packs, **other.packs})
    publish_commit(bucket, both)
    index, snapshot = loaded(bucket)
    assert snapshot.damaged == ()
    assert len(coded(index)) == 2
    query = VECTORS[3000]
    assert index.search(query, 1)[0].name == "03000"

"""An index that leaves rows in the bucket answers like one that has them in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.errors import PhotoNotIndexed, RowsLost, StorageError
from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.entries import Entry
from clipsearch.index.format.facts import Facts
from clipsearch.index.format.packs import PackHead, read_head
from clipsearch.index.format.segments import segment_path, write_segment
from clipsearch.index.reader import stored_rows
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search import bucket_shard, candidates, state
from clipsearch.index.search.bucket_shard import BucketShard
from clipsearch.index.search.filter import Filter
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, photo, tombstone
from tests.index.packed import (
    DIMENSION,
    VECTORS,
    clustered,
    commit_of,
    loaded,
    packed,
    photos,
    publish_packed,
    texts,
)
from tests.index.search.library import all_pages, pairs
from tests.support.buckets import Delegating, FaultyBucket, HookedBucket

SMALL = 1200  # all of them are candidates
ROW = 2 * DIMENSION  # bytes


class Reads(Delegating):
    """Notes the ranges that are read of rows: pack, begin and end."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket)
        self.ranges: list[tuple[str, int, int]] = []
        self.whole: list[str] = []

    def read(self, name: str, *args: Any, **more: Any) -> bytes:
        if "end" in more:
            self.ranges.append((name, more["start"], more["end"]))
        return super().read(name, *args, **more)

    def read_into(self, name: str, buffer: memoryview) -> int:
        self.whole.append(name)
        return super().read_into(name, buffer)


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


@pytest.fixture
def _all_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first list has all photos of a small library."""
    monkeypatch.setattr(candidates, "FIRST", SMALL)
    monkeypatch.setattr(state, "SAMPLED_IN_BUCKET", SMALL)


@pytest.fixture(params=["scored", "scanned", "two scans"])
def _lists(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to make a list of candidates."""
    if request.param != "scored":
        monkeypatch.setattr(bucket_shard, "SCORED", 0)
    if request.param == "two scans":
        monkeypatch.setattr(bucket_shard, "WORTH_A_THREAD", 500)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FolderBucket:
    """Two packs, loose photos, and what deletes or replaces photos of packs. With facts."""
    bucket = FolderBucket(tmp_path_factory.mktemp("small"))
    publish_packed(bucket, commit_of(bucket, described(0, 500), described(500, 1100)))
    write_segment(bucket, SPACE, [tombstone(f"{i:05}", 1) for i in range(7, 47)])
    write_segment(
        bucket, SPACE, [photo("00900", 2, VECTORS[3], time_us=9), *described(1100, SMALL)]
    )
    return bucket


def described(begin: int, end: int) -> list[Entry]:
    """Photos that have dates, and hashes that make some of them near-duplicates."""
    facts = (Facts(taken=i // 3, hash=i // 4, colour=(1, 2, 3)) for i in range(begin, end))
    return [replace(one, facts=its) for one, its in zip(photos(begin, end), facts, strict=True)]


def both(bucket: Bucket) -> Iterator[PhotoIndex]:
    yield Searched(bucket, threads=2).index
    yield loaded(bucket)[0]


def queries() -> list[Any]:
    return [*texts(4), VECTORS[3], VECTORS[800], *clustered(2, seed=5)]


@pytest.mark.usefixtures("_all_candidates", "_lists")
@pytest.mark.parametrize(
    "ask",
    [
        lambda index, query: pairs(index.search(query, 20)),
        lambda index, query: all_pages(index, query, 90),
        lambda index, query: pairs(index.search(query, 20, exactly=True)),
        lambda index, query: pairs(index.search(query, 20, filter=Filter(name="9"))),
        lambda index, query: all_pages(index, query, 50) and pairs(index.search(query, 600)),
        lambda index, query: pairs(
            index.search(index.combination(np.stack([query, texts(9)[8]]), [1, -0.7]), 30)
        ),
        lambda index, query: pairs(
            index.search(index.combination(np.stack([query, query]), [1, -1]), 1100)
        ),
        lambda index, query: pairs(index.matching(query, 0.0).by_date(50)),
        lambda index, query: pairs(index.matching(query, None).by_date(50, oldest=True)),
        lambda index, query: index.matching(query, 0.0).facets(Filter(name="1")),
        lambda index, query: index.leaders([hit.name for hit in index.search(query, 300)]),
        lambda index, query: index.sample[:9].tobytes(),
    ],
)
def test_a_small_library_is_searched_as_in_memory(
    small: FolderBucket, ask: Callable[[PhotoIndex, Any], Any]
) -> None:
    stored, memory = both(small)
    assert stored.most_compared == candidates.MOST_IN_BUCKET
    assert memory.most_compared is None
    for query in queries():
        found, right = ask(stored, query), ask(memory, query)
        assert found == right


def test_the_vector_of_a_photo_is_that_of_its_pack(small: FolderBucket) -> None:
    stored, memory = both(small)
    for name in ("00000", "00500", "00900", "01099", "01150"):
        assert stored.vector_of(name).tobytes() == memory.vector_of(name).tobytes()
    with pytest.raises(PhotoNotIndexed):
        stored.vector_of("00007")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> FolderBucket:
    bucket = FolderBucket(tmp_path_factory.mktemp("large"))
    publish_packed(
        bucket, commit_of(bucket, photos(0, 2000), photos(2000, 4000), photos(4000, 6000))
    )
    return bucket


@pytest.mark.usefixtures("_lists")
def test_a_large_library_finds_the_best_of_its_candidates(
    large: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "FIRST", 100)
    monkeypatch.setattr(candidates, "PER_HIT", 1)
    monkeypatch.setattr(candidates, "MOST_IN_BUCKET", 400)
    stored, memory = both(large)
    right = 0
    for query in queries():
        found = all_pages(stored, query, 30)
        assert found == sorted(found, key=lambda hit: (-hit[0], hit[1]))
        names = [name for _, name in found]
        assert len(names) == len(set(names))
        assert 390 <= len(names) <= 400  # the first page may have compared fewer
        hits = {hit.name for hit in stored.search(query, 20)}
        right += len(hits & {hit.name for hit in memory.search(query, 20, exactly=True)})
        matching = stored.matching(query, -1.0)
        assert (len(matching), matching.is_cut) == (400, True)
        assert not stored.matching(query, 0.999).is_cut
        near = Filter(name="1")  # more than are candidates
        for hit in stored.search(query, 20, filter=near):
            assert "1" in hit.name
        assert pairs(stored.search(query, 9, filter=Filter(name="12"))) == pairs(
            memory.search(query, 9, filter=Filter(name="12"))
        )  # few photos are compared exactly
    assert right / 20 / len(queries()) >= 0.95


def test_rows_are_read_once_and_neighbours_together(
    large: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_rows, "GAP", 2 * ROW)
    bucket = Reads(large)
    rows = Searched(bucket).stored[0].stored
    assert bucket.ranges == bucket.whole == []  # a cold start reads no row
    taken = rows.take(np.array([2001, 7, 3, 2001, 4, 8, 1999]))
    assert taken.tobytes() == VECTORS[[2001, 7, 3, 2001, 4, 8, 1999]].astype(np.float16).tobytes()
    read = sorted((begin // ROW, end // ROW) for _, begin, end in bucket.ranges)
    assert read == [(1, 2), (3, 5), (7, 9), (1999, 2000)]
    rows.take(np.array([3, 1999]))
    assert len(bucket.ranges) == 4
    rows.take(np.array([5]))
    assert len(bucket.ranges) == 5
    assert rows.take(np.zeros(0, np.int64)).shape == (0, DIMENSION)


def test_memory_of_rows_is_bounded(large: FolderBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Reads(large)
    rows = Searched(bucket).stored[0].stored
    monkeypatch.setattr(rows.store, "most", 10 * ROW)
    for place in (*range(0, 2000, 200), 0):
        rows.take(np.array([place]))
    assert len(bucket.ranges) == 10  # row 0 is still there
    rows.take(np.array([5000]))
    rows.take(np.array([200]))  # was used longest ago
    assert len(bucket.ranges) == 12


def test_rows_stay_in_the_bucket_only_if_they_are_too_many(large: FolderBucket) -> None:
    for most, is_stored in ((6000 * ROW, False), (6000 * ROW - 1, True)):
        index = PhotoIndex()
        index.update(SnapshotReader(large, SPACE, most_rows=most).refresh())
        assert (index.most_compared is not None) == is_stored


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


@pytest.mark.usefixtures("_all_candidates")
@pytest.mark.parametrize("is_of_older_version", [False, True])
def test_damaged_rows_are_noticed_and_the_segment_read_instead(
    tmp_path: Path, is_of_older_version: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = FolderBucket(tmp_path)
    commit = publish_packed(bucket, commit_of(bucket, photos(0, 400), photos(400, 800)))
    pack = commit.packs[commit.segments[1]]
    data = bytearray((tmp_path / pack).read_bytes())
    data[100 * ROW + 1] ^= 0x7C  # an exponent
    (tmp_path / pack).write_bytes(data)
    if is_of_older_version:
        forget_checksums(monkeypatch)
    searched = Searched(bucket)
    assert searched.index.vector_of("00450").shape == (DIMENSION,)
    with pytest.raises(RowsLost, match="do not match"):
        searched.index.search(VECTORS[500], 5)
    searched.refresh()
    assert len(searched.snapshot.damaged) == 1
    assert pack in searched.snapshot.damaged[0]
    assert len(searched.index.shards) == 2
    check_all(searched.index, 800)
    searched.refresh()
    check_all(searched.index, 800)


def forget_checksums(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*arguments: Any) -> PackHead:
        return replace(read_head(*arguments), row_checksums=None)

    monkeypatch.setattr("clipsearch.index.reader.loader.read_head", read)


@pytest.mark.usefixtures("_all_candidates")
def test_a_pack_and_its_segment_both_damaged_leave_the_rest(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    commit = publish_packed(bucket, commit_of(bucket, photos(0, 400), photos(400, 800)))
    name = commit.segments[1]
    searched = Searched(bucket)
    pack = tmp_path / commit.packs[name]
    pack.write_bytes(bytes(400 * ROW) + pack.read_bytes()[400 * ROW :])
    (tmp_path / segment_path(SPACE, name)).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(RowsLost):
            searched.index.search(VECTORS[500], 5)
        searched.refresh()
    assert searched.snapshot.photos == 400
    check_all(searched.index, 400)
    assert len(searched.snapshot.damaged) == 2


def test_trouble_of_the_storage_is_no_damage(tmp_path: Path) -> None:
    is_down = threading.Event()

    def fail(method: str, name: str) -> None:
        if is_down.is_set():
            raise StorageError("503")

    bucket = HookedBucket(FolderBucket(tmp_path), before=fail)
    publish_packed(bucket, commit_of(bucket, photos(0, 1000)))
    searched = Searched(bucket)
    is_down.set()
    with pytest.raises(StorageError, match="503"):
        searched.index.search(VECTORS[0], 5)
    is_down.clear()
    assert searched.index.search(VECTORS[0], 1)[0].name == "00000"
    searched.refresh()
    assert searched.snapshot.damaged == ()


@pytest.mark.parametrize("seed", range(6))
def test_answers_are_right_or_errors_while_storage_fails_and_lies(
    tmp_path: Path, seed: int
) -> None:
    bucket = FaultyBucket(FolderBucket(tmp_path), seed, share=0)
    publish_packed(bucket, commit_of(bucket, photos(0, 400), photos(400, 800)))
    searched, chance = Searched(bucket, retry_damaged_s=0.0), np.random.default_rng(seed)
    bucket.share = 0.05
    for number in chance.integers(0, 800, 30).tolist():
        with suppress(StorageError):
            hits = searched.index.search(VECTORS[number], 800)
            assert len(hits) == searched.index.count()
            assert hits[0].name == f"{number:05}" or searched.snapshot.photos < 800
        with suppress(StorageError):
            searched.refresh()
    bucket.share = 0
    for _ in range(3):
        searched.refresh()
        with suppress(RowsLost):
            searched.index.search(VECTORS[0], 800)
    assert searched.snapshot.photos == 800
    check_all(searched.index, 800)


def test_packs_of_two_quantizers_are_searched_side_by_side(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    one = packed(bucket, commit_of(bucket, photos(0, 900)))
    other = packed(bucket, commit_of(bucket, photos(900, 1800)))
    assert one
    assert other
    both = Commit(SPACE, 1, one.segments + other.segments, packs={**one.packs, **other.packs})
    publish_commit(bucket, both)
    searched = Searched(bucket)
    assert len(searched.stored) == 2
    for number in (3, 1000):
        assert searched.index.search(VECTORS[number], 1)[0].name == f"{number:05}"


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

"""Packs and the trained index: made, read, searched, and left out where they are damaged."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clipsearch.errors import PhotoNotIndexed, StorageError
from clipsearch.index.compaction import compact, packing
from clipsearch.index.compaction.build_packs import EXACT_LIMIT, GROWTH, WORTH_PACKING, pack
from clipsearch.index.format.commits import Commit, newest_commit, publish_commit
from clipsearch.index.format.entries import Entries, Entry, Kind, key_of
from clipsearch.index.format.segments import (
    new_segment_name,
    read_segment,
    segment_bytes,
    segment_path,
    write_segment,
)
from clipsearch.index.reader import prefetch as coming_rows
from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import Bucket
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, Vector, failure, photo, random_units, tombstone
from tests.index.test_index import Hit, all_pages, pairs
from tests.support.buckets import Delegating, HookedBucket

DIMENSION = 64
COUNT = 6000


DECAY = (0.93 ** np.arange(DIMENSION)).astype(np.float32)  # photos differ in some ways more


def clustered(count: int, seed: int = 0) -> Vector:
    """Units around 40 centres: like photos, and unlike texts, which are `texts`."""
    chance = np.random.default_rng(seed)
    centres = random_units(40, DIMENSION, seed=99) * 4
    mixed = centres[chance.integers(40, size=count)] + chance.normal(size=(count, DIMENSION))
    mixed = mixed * DECAY + 0.5
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def texts(count: int) -> Vector:
    """Units that share one direction, far from that of photos."""
    shared = random_units(1, DIMENSION, seed=8) * 2
    far = random_units(count, DIMENSION, seed=7) * DECAY + shared
    return far / np.linalg.norm(far, axis=1, keepdims=True)


def common() -> Vector:
    """What texts share."""
    mean: Vector = texts(50).mean(axis=0)
    return mean


VECTORS = clustered(COUNT)


def commit_of(bucket: Bucket, *segments: Sequence[Entry], number: int = 1) -> Commit:
    names = tuple(write_segment(bucket, SPACE, entries) for entries in segments)
    sizes = {name: len(part) for name, part in zip(names, segments, strict=True)}
    return Commit(SPACE, number, names, sizes=sizes)


def photos(begin: int, end: int) -> list[Entry]:
    return [photo(f"{i:05}", 1, VECTORS[i], time_us=i) for i in range(begin, end)]


def packed(bucket: Bucket, commit: Commit, deadline: float | None = None) -> Commit | None:
    deadline = time.monotonic() + 60 if deadline is None else deadline
    return pack(bucket, commit, deadline, common, exact_limit=100, worth_packing=50)


def publish_packed(bucket: Bucket, commit: Commit) -> Commit:
    following = packed(bucket, commit)
    assert following
    publish_commit(bucket, following)
    return following


def loaded(bucket: Bucket, threads: int = 1) -> tuple[PhotoIndex, Snapshot]:
    index = PhotoIndex(threads)
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    index.update(snapshot)
    return index, snapshot


def exactly(query: Vector, names: Sequence[int], limit: int) -> list[str]:
    halves = VECTORS[names].astype(np.float16).astype(np.float64)
    scores = (halves @ query.astype(np.float64)).round(6)
    order = sorted(zip(-scores, names, strict=True))
    return [f"{name:05}" for _, name in order[:limit]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> FolderBucket:
    """Three packs; entries of other kinds among them, and a few photos after them."""
    bucket = FolderBucket(tmp_path_factory.mktemp("library"))
    commit = commit_of(
        bucket,
        [*photos(0, 2500), failure("broken", 1), tombstone("gone", 3)],
        photos(2500, 5000),
        [tombstone("also gone", 3), *photos(5000, 5900)],
    )
    publish_packed(bucket, commit)
    write_segment(bucket, SPACE, photos(5900, COUNT))
    return bucket


def test_a_packed_library_is_found_as_one_that_is_not_packed(library: FolderBucket) -> None:
    index, snapshot = loaded(library)
    assert (snapshot.photos, snapshot.failures, snapshot.damaged) == (COUNT, 1, ())
    assert len(index._state.trained) == 1
    assert sum(len(shard.rows) for shard in index._state.shards) == 100
    assert index.quantised(20) == COUNT - 100
    assert index.quantised(100) == 0  # so many candidates that all photos are compared
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
    """Without it, candidates are much worse: the codes say little of it."""
    recalls = []
    for name, direction in (("with", common), ("without", lambda: None)):
        bucket = FolderBucket(tmp_path / name)
        commit = commit_of(bucket, photos(0, COUNT))
        deadline = time.monotonic() + 60
        following = pack(bucket, commit, deadline, direction, 100, 50)
        assert following
        publish_commit(bucket, following)
        index, _ = loaded(bucket)
        (shard,) = index._state.trained
        right = 0
        for query in texts(40):
            _, places = shard.refined.base_index.search(query[None], 20)
            names = {index._state.catalogue.rows.name(int(row)) for row in shard.rows[places[0]]}
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
    assert len(names) >= COUNT - 7  # what the first page missed is all that may lack
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
    assert len(together._state.trained) == 3
    for query in texts(10):
        one, three = alone.search(query, 10), together.search(query, 10)
        assert len({h.name for h in one} & {h.name for h in three}) >= 9
        assert together.vector_of(one[0].name).tobytes() == alone.vector_of(one[0].name).tobytes()


def test_a_photo_of_a_pack_gives_its_vector_and_scores_one_with_it(library: FolderBucket) -> None:
    index, _ = loaded(library)
    for name in ("00000", "02499", "04999", "05899", "05950"):
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
        assert each.search(-query, 1) == [Hit("00007", 1.0, 2, 640, 480)]
    write_segment(bucket, SPACE, [tombstone(f"{i:05}", 2) for i in range(COUNT)])
    index.update(reader.refresh())
    assert index.search(query, 5) == []
    assert index._state.trained == []


def test_a_space_that_is_small_gets_no_packs(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    commit = commit_of(bucket, photos(0, 100))
    assert packed(bucket, commit) is None
    assert (
        packed(bucket, commit_of(bucket, *(photos(i, i + 10) for i in range(0, 200, 10)))) is None
    )


def test_what_is_packed_is_not_packed_again_and_new_segments_are(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    first = packed(bucket, commit_of(bucket, photos(0, 150)))
    assert first
    assert packed(bucket, first) is None
    more = commit_of(bucket, photos(150, 300))
    grown = replace(
        first, segments=first.segments + more.segments, sizes={**first.sizes, **more.sizes}
    )
    second = packed(bucket, grown)
    assert second
    assert second.quantizer == first.quantizer
    assert second.packs.keys() == set(grown.segments)
    assert second.packs.items() >= first.packs.items()


def test_without_time_nothing_is_begun_and_with_little_it_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = FolderBucket(tmp_path)
    commit = commit_of(bucket, photos(0, 150), photos(150, 300))
    assert packed(bucket, commit, deadline=time.monotonic()) is None
    assert list(bucket.list(f"{SPACE}/packs/")) == []
    with monkeypatch.context() as patch:
        looks = itertools.count()  # at the clock: before the quantizer, and before each pack
        patch.setattr(
            "clipsearch.index.compaction.build_packs.time",
            SimpleNamespace(monotonic=lambda: next(looks)),
        )
        half = packed(bucket, commit, deadline=1)
    assert half  # the quantizer is there, and work stops after it
    assert half.quantizer
    assert len(half.packs) < 2
    whole = packed(bucket, half)
    assert whole
    assert (len(whole.packs), whole.quantizer) == (2, half.quantizer)


def test_a_space_that_has_outgrown_its_quantizer_gets_another(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    small = packed(bucket, commit_of(bucket, photos(0, 150)))
    assert small
    more = commit_of(bucket, photos(150, 150 * GROWTH))
    grown = replace(
        small, segments=small.segments + more.segments, sizes={**small.sizes, **more.sizes}
    )
    other = packed(bucket, grown)
    assert other
    assert other.quantizer != small.quantizer
    assert not set(other.packs.values()) & set(small.packs.values())
    publish_commit(bucket, other)
    assert loaded(bucket)[1].photos == 150 * GROWTH


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
    assert len(index._state.trained) == 2
    query = VECTORS[3000]
    assert index.search(query, 1)[0].name == "03000"


@pytest.mark.parametrize("part", ["rows", "head", "cut", "gone", "quantizer", "no quantizer"])
def test_where_a_pack_cannot_be_used_its_segment_is_read_and_the_damage_named(
    tmp_path: Path, part: str
) -> None:
    bucket = FolderBucket(tmp_path)
    commit = publish_packed(bucket, commit_of(bucket, photos(0, 1000), photos(1000, 2000)))
    victim = commit.packs[commit.segments[0]]
    if "quantizer" in part:
        assert commit.quantizer
        victim = commit.quantizer
    path = tmp_path / victim
    data = bytearray(path.read_bytes())
    path.unlink()
    if part in ("rows", "head", "quantizer"):
        data[{"rows": 9, "head": -9000, "quantizer": -3000}[part]] ^= 4
        path.write_bytes(data)
    elif part == "cut":
        path.write_bytes(data[:-1])
    index, snapshot = loaded(bucket)
    assert snapshot.photos == 2000
    assert victim in " ".join(snapshot.damaged)
    for i in (0, 999, 1000, 1999):
        assert index.search(VECTORS[i], 1)[0].name == f"{i:05}"
    assert all(hit.name for hit in index.search(texts(1)[0], 100))


@pytest.mark.parametrize("part", ["rows", "head", "gone"])
def test_one_pack_that_cannot_be_used_leaves_the_rows_of_the_others_as_they_are(
    tmp_path: Path, part: str
) -> None:
    read: list[str] = []

    def count(method: str, name: str) -> None:
        if method == "read_into":
            read.append(name)

    bucket = HookedBucket(FolderBucket(tmp_path), before=count)
    parts = (photos(i, i + 500) for i in range(0, 5000, 500))
    commit = publish_packed(bucket, commit_of(bucket, *parts))
    path = tmp_path / commit.packs[commit.segments[3]]
    data = bytearray(path.read_bytes())
    path.unlink()
    if part != "gone":
        data[{"rows": 9, "head": -9000}[part]] ^= 4
        path.write_bytes(data)
    index, snapshot = loaded(bucket)
    assert (snapshot.photos, len(snapshot.damaged)) == (5000, 1)
    assert sorted(read) == sorted(commit.packs.values())
    assert index.search(VECTORS[1700], 1)[0].name == "01700"
    assert index.search(VECTORS[4999], 1)[0].name == "04999"


def test_rows_that_nobody_wants_any_more_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refresh has failed: what waits for its turn ends without asking the storage."""
    asked: list[str] = []
    has_stopped = threading.Event()
    # ComingRows sets this attribute to False and, when it is stopped, to True.
    flag = property(
        lambda _: has_stopped.is_set(), lambda _, value: has_stopped.set() if value else None
    )
    monkeypatch.setattr(coming_rows.ComingRows, "_has_stopped", flag, raising=False)

    def fail_or_wait(method: str, name: str) -> None:
        if method == "read" and name.endswith(".pack"):
            raise StorageError("503")
        if method == "read_into":
            asked.append(name)
            assert has_stopped.wait(60)

    bucket = HookedBucket(FolderBucket(tmp_path), before=fail_or_wait)
    parts = (photos(i, i + 500) for i in range(0, 5000, 500))
    publish_packed(bucket, commit_of(bucket, *parts))
    with pytest.raises(StorageError, match="503"):
        SnapshotReader(bucket, SPACE).refresh()
    assert len(asked) <= coming_rows.BESIDE_HEADS


def test_a_pack_and_its_segment_both_damaged_leave_the_rest(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    commit = publish_packed(bucket, commit_of(bucket, photos(0, 1000), photos(1000, 2000)))
    name = commit.segments[0]
    for path in (tmp_path / commit.packs[name], tmp_path / segment_path(SPACE, name)):
        path.write_bytes(b"\0" * path.stat().st_size)
    index, snapshot = loaded(bucket)
    assert snapshot.photos == 1000
    assert len(snapshot.damaged) == 2
    assert index.search(VECTORS[1500], 1)[0].name == "01500"


def test_a_running_reader_needs_no_pack_of_what_it_has(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
    commit = commit_of(bucket, photos(0, 1000))
    index.update(reader.refresh())
    publish_packed(bucket, commit)
    snapshot = reader.refresh()
    index.update(snapshot)
    assert snapshot.commit == 1
    assert len(index._state.trained) == 0
    assert index.search(VECTORS[5], 1)[0].name == "00005"


def test_who_wants_no_vectors_reads_the_heads_of_packs_only(library: FolderBucket) -> None:
    class Counting(Delegating):
        read_bytes = 0

        def around(self, method: str, name: str, request: Callable[[], Any]) -> Any:
            assert method != "read_into", f"the rows of {name} are not wanted"
            result = request()
            self.read_bytes += len(result) if method == "read" else 0
            return result

    bucket = Counting(library)
    snapshot = SnapshotReader(bucket, SPACE, keep_vectors=False).refresh()
    assert snapshot.photos == COUNT
    assert bucket.read_bytes < COUNT * (DIMENSION * 4 + 60)


def test_a_segment_without_a_photo_needs_no_pack(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    graves = [tombstone(f"t{i}", 1) for i in range(200)]
    commit = commit_of(bucket, graves, photos(0, 200))
    following = packed(bucket, commit)
    assert following
    assert following.packs.keys() == {commit.segments[1]}
    publish_commit(bucket, following)
    assert loaded(bucket)[1].photos == 200
    assert len(read_segment(bucket, SPACE, commit.segments[0])) == 200


def test_a_damaged_quantizer_is_replaced_when_it_is_needed(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    first = packed(bucket, commit_of(bucket, photos(0, 150)))
    assert first
    assert first.quantizer
    (tmp_path / first.quantizer).write_bytes(b"damaged")
    more = commit_of(bucket, photos(150, 300))
    grown = replace(
        first, segments=first.segments + more.segments, sizes={**first.sizes, **more.sizes}
    )
    second = packed(bucket, grown)
    assert second
    assert second.quantizer != first.quantizer
    publish_commit(bucket, second)
    assert loaded(bucket)[1].damaged == ()


SEGMENTS = 32  # enough to be merged


def compacted(bucket: FolderBucket, days: int = 0) -> Commit:
    """The newest commit after a compaction in so many days."""
    now = datetime.now(UTC) + timedelta(days=days)
    assert compact(bucket, SPACE, time.monotonic() + 60, now).finished
    return newest_commit(bucket, SPACE)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderBucket:
    monkeypatch.setattr(packing, "direction_in", lambda bucket, space: common())
    bucket = FolderBucket(tmp_path)
    assert SEGMENTS * 4_500 > EXACT_LIMIT
    for number in range(SEGMENTS):
        columns = many(4_500, number)
        name = new_segment_name(number)
        bucket.create(segment_path(SPACE, name), segment_bytes(SPACE, columns))
    return bucket


def test_compaction_packs_a_large_space_and_publishes_that(large: FolderBucket) -> None:
    commit = compacted(large)
    assert commit.packs.keys() == {n for n in commit.segments if commit.sizes[n] >= WORTH_PACKING}
    index, snapshot = loaded(large)
    assert (snapshot.photos, snapshot.damaged) == (SEGMENTS * 4_500, ())
    assert index._state.trained
    assert compacted(large) == commit


def test_packs_and_quantizers_that_are_damaged_or_gone_are_made_again(
    large: FolderBucket,
) -> None:
    commit, folder = compacted(large), large.root
    assert len(commit.packs) == 2
    damaged, lost = (folder / path for path in commit.packs.values())
    with damaged.open("r+b") as file:
        file.truncate(damaged.stat().st_size - 9)
    lost.unlink()
    assert len(loaded(large)[1].damaged) == 2
    assert compacted(large, days=1).packs.items() >= commit.packs.items()
    assert loaded(large)[1].damaged == ()

    with lost.open("r+b") as file:
        file.write(b"other rows")
    assert len(loaded(large)[1].damaged) == 1
    compacted(large, days=2)
    assert loaded(large)[1].damaged == ()

    assert commit.quantizer
    (folder / commit.quantizer).write_bytes(b"damaged")
    assert loaded(large)[1].damaged
    compacted(large, days=2)
    assert loaded(large)[1].damaged == ()
    compacted(large, days=3)
    assert commit.quantizer not in {stat.name for stat in large.list()}


def many(count: int, seed: int) -> Entries:
    """Photos as columns: making each one as an Entry takes too long."""
    names = [f"{seed}/{i:05}" for i in range(count)]
    texts_ends = np.cumsum([len(name) for name in names], dtype=np.int64)
    return Entries(
        names=np.frombuffer("".join(names).encode(), np.uint8),
        name_ends=texts_ends,
        keys=np.array([key_of(name) for name in names], np.uint64),
        generations=np.ones(count, np.int64),
        kinds=np.full(count, Kind.VECTOR, np.uint8),
        widths=np.ones(count, np.int32),
        heights=np.ones(count, np.int32),
        times=np.ones(count, np.int64),
        vectors=random_units(count, DIMENSION, seed),
        reasons=np.zeros(0, np.uint8),
        reason_ends=np.zeros(0, np.int64),
    )

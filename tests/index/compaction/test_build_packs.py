"""When packs and quantizers are written, and when they are replaced."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from clipsearch.index import compaction
from clipsearch.index.compaction import build_packs, run
from clipsearch.index.compaction.build_packs import EXACT_LIMIT, GROWTH, WORTH_PACKING
from clipsearch.index.format.commits import Commit, newest_commit, publish_commit
from clipsearch.index.format.entries import Entries, Kind, key_of
from clipsearch.index.format.facts import no_facts
from clipsearch.index.format.segments import (
    new_segment_name,
    read_segment,
    segment_bytes,
    segment_path,
    write_segment,
)
from clipsearch.storage.local import FolderBucket
from tests.index.compaction.running import compact
from tests.index.making import SPACE, photo, random_units, tombstone, unit
from tests.index.packed import COMMON, DIMENSION, coded, commit_of, grown, loaded, packed, photos
from tests.support.memory import MemoryBucket


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
    larger = grown(first, commit_of(bucket, photos(150, 300)))
    second = packed(bucket, larger)
    assert second
    assert second.quantizer == first.quantizer
    assert second.packs.keys() == set(larger.segments)
    assert second.packs.items() >= first.packs.items()


def test_without_time_nothing_is_begun_and_with_little_it_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = FolderBucket(tmp_path)
    commit = commit_of(bucket, photos(0, 150), photos(150, 300))
    assert packed(bucket, commit, deadline=time.monotonic()) is None
    assert list(bucket.list(f"{SPACE}/packs/")) == []
    with monkeypatch.context() as patch:
        looks = itertools.count()  # clock reads: before the quantizer and before each pack
        patch.setattr(
            "clipsearch.index.compaction.build_packs.time",
            SimpleNamespace(monotonic=lambda: next(looks)),
        )
        half = packed(bucket, commit, deadline=1)
    assert half  # the quantizer was written, and the run stopped after it
    assert half.quantizer
    assert len(half.packs) < 2
    whole = packed(bucket, half)
    assert whole
    assert (len(whole.packs), whole.quantizer) == (2, half.quantizer)


def test_a_space_that_has_outgrown_its_quantizer_gets_another(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    small = packed(bucket, commit_of(bucket, photos(0, 150)))
    assert small
    larger = grown(small, commit_of(bucket, photos(150, 150 * GROWTH)))
    other = packed(bucket, larger)
    assert other
    assert other.quantizer != small.quantizer
    assert not set(other.packs.values()) & set(small.packs.values())
    publish_commit(bucket, other)
    assert loaded(bucket)[1].photos == 150 * GROWTH


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
    larger = grown(first, commit_of(bucket, photos(150, 300)))
    second = packed(bucket, larger)
    assert second
    assert second.quantizer != first.quantizer
    publish_commit(bucket, second)
    assert loaded(bucket)[1].damaged == ()


SEGMENTS = 32  # enough to be merged


def compacted(bucket: FolderBucket, days: int = 0) -> Commit:
    """The newest commit after a compaction that runs `days` from now."""
    now = datetime.now(UTC) + timedelta(days=days)
    assert compaction.compact(bucket, SPACE, time.monotonic() + 60, now).finished
    return newest_commit(bucket, SPACE)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderBucket:
    monkeypatch.setattr(build_packs, "direction_in", lambda bucket, space: COMMON)
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
    assert coded(index)
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
    """Photos as columns: one Entry per photo would be too slow."""
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
        facts=no_facts(count),
    )


def hardly_a_photo(bucket: MemoryBucket, photos: int) -> Commit | None:
    """A large, packed space with this many photos."""
    entries = [photo("only", 1, unit(*[1] * 16)), *(tombstone(f"p{i}") for i in range(300))]
    write_segment(bucket, SPACE, entries[1 - photos :])
    bucket.later(run.GRACE)
    compact(bucket)
    direction, newest = unit(*[1] * 16), newest_commit(bucket, SPACE)
    return packed(bucket, newest, direction=direction, exact_limit=1, worth_packing=1)


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

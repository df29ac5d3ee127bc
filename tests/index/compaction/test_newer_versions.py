"""Objects in a later format: reported, and neither merged, discarded nor deleted."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clipsearch.errors import UnknownFormat
from clipsearch.index.compaction import discard, vacuum
from clipsearch.index.format.commits import (
    Commit,
    commit_path,
    list_commits,
    newest_commit,
    publish_commit,
)
from clipsearch.index.format.packs import parse_pack_path
from clipsearch.index.format.segments import segment_path
from clipsearch.index.reader.snapshot_reader import SnapshotReader
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
from tests.index.making import SPACE, npz
from tests.index.packed import packed
from tests.support.memory import MemoryBucket

NEWER = "a newer version of clipsearch wrote it, in format 99"


def renumbered(data: bytes, start: int = 0) -> bytes:
    """The .npz from byte `start` on, in a later format."""
    with np.load(io.BytesIO(data[start:]), allow_pickle=False) as arrays:
        return data[:start] + npz(**{**arrays, "format": np.int32(99)})


def update(bucket: MemoryBucket, path: str, change: Callable[[bytes], bytes]) -> bytes:
    """What a newer version would have written in place of the object."""
    data = change(bucket.read(path))
    bucket.delete(path)
    bucket.create(path, data)
    return data


def update_commit(bucket: MemoryBucket) -> str:
    """Publish a commit in a later format; returns its path."""
    number = newest_commit(bucket, SPACE).number + 1
    document = {"format": 99, "space": SPACE, "number": number, "parts": []}
    bucket.create(commit_path(SPACE, number), json.dumps(document).encode())
    return commit_path(SPACE, number)


def damage(bucket: MemoryBucket) -> dict[str, str]:
    lines = SnapshotReader(bucket, SPACE).refresh().damaged
    return dict(line.split(": ", 1) for line in lines)


def test_a_segment_is_reported_and_nobody_merges_or_discards_it(bucket: MemoryBucket) -> None:
    name, *_ = fill(bucket, 20)
    path = segment_path(SPACE, name)
    data = update(bucket, path, renumbered)
    before = truth(bucket)
    (line,) = compact(bucket).damaged
    assert line.startswith(f"{path}: {NEWER}")
    assert damage(bucket)[path].startswith(NEWER)
    assert SnapshotReader(bucket, SPACE).refresh().damaged_segments == set()
    discard(bucket, SPACE, {name})
    bucket.later(8 * DAY)
    settle(bucket)
    assert bucket.read(path) == data
    assert name not in newest_commit(bucket, SPACE).replaced
    assert len(segments(bucket)) == 2
    assert seen(bucket) == without_vectors(before)


def test_tombstones_stay_while_a_newer_segment_may_speak_of_their_photos(
    bucket: MemoryBucket,
) -> None:
    filled(bucket, deleted=20)
    name, *_ = fill(bucket, 1, start=50)
    update(bucket, segment_path(SPACE, name), renumbered)
    before = {fact[0] for fact in seen(bucket)}
    for _ in range(2):
        bucket.later(8 * DAY)
        compact(bucket)
    assert {fact[0] for fact in seen(bucket)} == before


def test_a_segment_that_an_older_version_discarded_is_not_deleted(bucket: MemoryBucket) -> None:
    newer, damaged, *_ = fill(bucket, 2)
    fill(bucket, 20, start=2)
    update(bucket, segment_path(SPACE, newer), renumbered)
    update(bucket, segment_path(SPACE, damaged), lambda data: data[:9])
    compact(bucket)
    newest = newest_commit(bucket, SPACE)
    replaced = {**newest.replaced, newer: vacuum.NOWHERE, damaged: vacuum.NOWHERE}
    publish_commit(bucket, replace(newest, number=newest.number + 1, replaced=replaced))
    settle(bucket)
    assert newer in segments(bucket)
    assert damaged not in segments(bucket)


def test_compaction_stops_at_a_commit(bucket: MemoryBucket) -> None:
    fill(bucket, 40)
    compact(bucket)
    bury(bucket, range(20))
    before = seen(bucket)
    path = update_commit(bucket)
    names = bucket.names()
    for _ in range(2):
        report = compact(bucket)
        assert not report.finished
        (line,) = report.damaged
        assert line.startswith(f"{path}: {NEWER}")
        bucket.later(8 * DAY)
    broken = "0000000000000001-000000000000.npz"
    bucket.create(segment_path(SPACE, broken), b"damaged")
    with pytest.raises(UnknownFormat, match="update this version"):
        discard(bucket, SPACE, {broken})
    assert set(bucket.names()) == {*names, segment_path(SPACE, broken)}
    assert seen(bucket) == before
    assert damage(bucket)[path].startswith(NEWER)


def test_a_commit_is_not_deleted_when_others_follow(bucket: MemoryBucket) -> None:
    fill(bucket, 20)
    compact(bucket)
    commit = newest_commit(bucket, SPACE)
    path = update_commit(bucket)
    publish_commit(bucket, replace(commit, number=commit.number + 2))
    for _ in range(3):
        bucket.later(DAY)
        settle(bucket)
    assert path in {stat.name for stat in list_commits(bucket, SPACE)}
    assert commit_path(SPACE, commit.number) not in bucket.names()


def with_packs(bucket: MemoryBucket) -> Commit:
    """40 photos in two segments with packs, in the newest commit."""
    names = fill(bucket, 40, each=20, dimension=16)
    commit = Commit(SPACE, 1, tuple(names), sizes=dict.fromkeys(names, 20), purged=bucket.now)
    following = packed(bucket, commit, direction=None, exact_limit=1, worth_packing=1)
    assert following
    publish_commit(bucket, following)
    return following


def update_pack(bucket: MemoryBucket, path: str) -> bytes:
    name = parse_pack_path(path)
    assert name
    return update(bucket, path, lambda data: renumbered(data, name.size))


def test_a_pack_stays_in_use_and_its_segment_is_read(bucket: MemoryBucket) -> None:
    commit = with_packs(bucket)
    newer, damaged = (commit.packs[name] for name in commit.segments)
    data = update_pack(bucket, newer)
    update(bucket, damaged, lambda whole: whole[:-1])
    assert len(seen(bucket)) == 40
    assert damage(bucket)[newer].startswith(NEWER)
    bucket.later(DAY)
    compact(bucket)  # the purge reads the packs
    assert newest_commit(bucket, SPACE).packs == {commit.segments[0]: newer}
    assert bucket.read(newer) == data
    assert damaged not in bucket.names()


@pytest.mark.parametrize("is_newer", [True, False])
def test_a_pack_and_a_quantizer_that_no_commit_names_stay(
    bucket: MemoryBucket, is_newer: bool
) -> None:
    commit = with_packs(bucket)
    assert commit.quantizer
    left = {*commit.packs.values(), commit.quantizer}
    if is_newer:
        for pack in commit.packs.values():
            update_pack(bucket, pack)
        update(bucket, commit.quantizer, renumbered)
    publish_commit(bucket, replace(commit, number=2, packs={}, quantizer=None))
    foreign = f"{SPACE}/packs/named-otherwise.pack"
    bucket.create(foreign, b"who knows?")
    for _ in range(2):
        settle(bucket)
    assert left & set(bucket.names()) == (left if is_newer else set())
    assert foreign in bucket.names()


def test_a_quantizer_in_use_is_not_replaced(bucket: MemoryBucket) -> None:
    commit = with_packs(bucket)
    assert commit.quantizer
    update(bucket, commit.quantizer, renumbered)
    more = fill(bucket, 20, start=40, each=20, dimension=16)
    larger = replace(
        commit, segments=(*commit.segments, *more), sizes={**commit.sizes, more[0]: 20}
    )
    with pytest.raises(UnknownFormat, match=commit.quantizer):
        packed(bucket, larger, direction=None, exact_limit=1, worth_packing=1)
    assert bucket.names(f"{SPACE}/quantizers/") == [commit.quantizer]
    assert len(bucket.names(f"{SPACE}/packs/")) == 2
    assert len(seen(bucket)) == 60

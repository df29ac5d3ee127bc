"""Reading packs, and their segments instead of damaged packs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipsearch.errors import StorageError
from clipsearch.index.format.segments import segment_path
from clipsearch.index.reader import prefetch
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE
from tests.index.packed import (
    COUNT,
    DIMENSION,
    VECTORS,
    coded,
    commit_of,
    loaded,
    photos,
    publish_packed,
    texts,
)
from tests.support.buckets import Delegating, HookedBucket


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
    """After a failed refresh, waiting reads end without a request."""
    asked: list[str] = []
    has_stopped = threading.Event()
    # RowPrefetch sets this attribute to False at first, and to True on stop().
    flag = property(
        lambda _: has_stopped.is_set(), lambda _, value: has_stopped.set() if value else None
    )
    monkeypatch.setattr(prefetch.RowPrefetch, "_has_stopped", flag, raising=False)

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
    assert len(asked) <= prefetch.BESIDE_HEADS


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
    assert coded(index) == []
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

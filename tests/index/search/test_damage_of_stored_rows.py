"""An index that leaves rows in the bucket meets damaged packs and storage that fails."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch.errors import RowsLost, StorageError
from clipsearch.index.format.packs import PackHead, read_head
from clipsearch.index.format.segments import segment_path
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE
from tests.index.packed import (
    DIMENSION,
    VECTORS,
    commit_of,
    photos,
    publish_packed,
)
from tests.index.search.stored import ROW, Searched, check_all
from tests.support.buckets import FaultyBucket, HookedBucket


def forget_checksums(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*arguments: Any) -> PackHead:
        return replace(read_head(*arguments), row_checksums=None)

    monkeypatch.setattr("clipsearch.index.reader.loader.read_head", read)


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

"""kill -9 of a writer at any moment."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.entries import Entry
from clipsearch.index.format.segments import write_segment
from clipsearch.storage.atomic_files import STALE_AFTER_S
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE, photo
from tests.index.workers import (
    assert_nothing_is_left_behind,
    assert_nothing_lost,
    compact_for_ever,
    processes,
    write_for_ever,
)
from tests.support.waiting import wait_for

ROUNDS = int(os.environ.get("EXAMPLES", "8"))


@pytest.mark.parametrize("compactors", [0, 1, 3])
def test_nothing_acknowledged_is_lost_and_nothing_stays_behind(
    tmp_path: Path, compactors: int
) -> None:
    url, acknowledged = (tmp_path / "index").as_uri(), tmp_path / "acknowledged"
    chance = random.Random(compactors)
    for i in range(ROUNDS):
        writers = [(write_for_ever, url, acknowledged, 10 * i + j) for j in range(2)]
        with processes(*writers, *[(compact_for_ever, url)] * compactors):
            enough = lines_of(acknowledged) + chance.randrange(1, 15)
            wait_for(lambda: lines_of(acknowledged) >= enough, "entries are written")  # noqa: B023
            if compactors and i == ROUNDS - 1:
                wait_for(lambda: commits(tmp_path / "index") > 1, "there are two commits")
        assert_nothing_lost(url, acknowledged)
    assert_nothing_is_left_behind(url)
    assert_nothing_lost(url, acknowledged)


def lines_of(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def commits(index: Path) -> int:
    return newest_commit(FolderBucket(index), SPACE).number


def test_temporary_files_of_the_killed_are_swept(tmp_path: Path) -> None:
    """A kill leaves the temporary file of a half-written object in a folder."""
    entry: Entry = photo("a")
    write_segment(FolderBucket(tmp_path), SPACE, [entry])
    left = tmp_path / ".tmp" / "0123"
    left.write_bytes(b"half an object")
    long_ago = time.time() - STALE_AFTER_S - 1
    os.utime(left, (long_ago, long_ago))
    write_segment(FolderBucket(tmp_path), SPACE, [entry])
    assert not left.exists()

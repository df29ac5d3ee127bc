"""kill -9, at any moment, of whoever writes."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from clipsearch.commits import newest_commit
from clipsearch.entries import Entry
from clipsearch.segments import write_segment
from clipsearch.storage.folder import FolderBucket
from clipsearch.storage.whole_files import STALE_AFTER_S
from tests.index.making import SPACE, photo
from tests.index.workers import (
    assert_nothing_is_left_behind,
    assert_nothing_lost,
    compact_for_ever,
    processes,
    told,
    write_for_ever,
)

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
            answered = len(told(acknowledged))
            while i == 0 and len(told(acknowledged)) == answered:
                time.sleep(0.01)  # the server that forks is still starting
            time.sleep(chance.uniform(0.02, 0.2))
        assert_nothing_lost(url, acknowledged)
    assert len(told(acknowledged)) > 1
    if compactors:
        assert newest_commit(FolderBucket(tmp_path / "index"), SPACE).number > 1
    assert_nothing_is_left_behind(url)
    assert_nothing_lost(url, acknowledged)


def size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def test_temporary_files_of_the_killed_are_swept(tmp_path: Path) -> None:
    """What a kill leaves of a folder's half-written object."""
    entry: Entry = photo("a")
    write_segment(FolderBucket(tmp_path), SPACE, [entry])
    left = tmp_path / ".tmp" / "0123"
    left.write_bytes(b"half an object")
    long_ago = time.time() - STALE_AFTER_S - 1
    os.utime(left, (long_ago, long_ago))
    write_segment(FolderBucket(tmp_path), SPACE, [entry])
    assert not left.exists()

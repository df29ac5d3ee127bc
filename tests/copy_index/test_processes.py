"""Copies of a folder while other processes write to it and compact it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.copy_index.objects import Copier
from cli.copy_index.record import Record
from cli.copy_index.space import copy_space
from clipsearch.storage.local import FolderBucket
from tests.index.making import SPACE
from tests.index.test_kill import lines_of
from tests.index.workers import compact_for_ever, processes, seen, told, write_for_ever
from tests.support.waiting import wait_for


@pytest.mark.slow
def test_each_copy_has_all_that_was_acknowledged_before_it(tmp_path: Path) -> None:
    source, target = FolderBucket(tmp_path / "index"), FolderBucket(tmp_path / "copy")
    acknowledged = tmp_path / "acknowledged"
    writers = [(write_for_ever, source.url, acknowledged, seed) for seed in range(2)]
    with processes(*writers, (compact_for_ever, source.url)):
        for count in (10, 60, 120, 180):
            wait_for(lambda: lines_of(acknowledged) >= count, "entries are written")  # noqa: B023
            before = told(acknowledged)
            copier = Copier(source, target)
            copy_space(copier, Record(source, target), SPACE)
            assert copier.done.damaged == []
            found = seen(target.url)
            assert not [name for name, state in before.items() if found[name] < state]

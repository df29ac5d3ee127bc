"""A table that was deleted, while the states of its mirror were not; a segment that was deleted."""

from __future__ import annotations

import pytest

from clipsearch.engine.mirror_reader import MirrorReader
from clipsearch.errors import StorageError
from clipsearch.index.format.segments import write_segment
from tests.engine.memory_engine import MemoryEngine
from tests.engine.test_mirror import World
from tests.index.making import SPACE, photo, tombstone, unit


@pytest.fixture
def world() -> World:
    world = World()
    write_segment(world.bucket, SPACE, [photo("a"), photo("b"), photo("c")])
    write_segment(world.bucket, SPACE, [tombstone("b", 1)])
    world.mirror()
    return world


def names(world: World) -> list[str]:
    tables = world.tables.__getitem__
    reader = MirrorReader(world.bucket, SPACE, 4, tables, lambda: world.bucket.now)
    _, union = reader.refresh()
    return sorted(hit.name for hit in union.search(unit(1, 0, 0, 0), 9))


def test_the_next_run_mirrors_everything_again(world):
    lost = world.state.table
    world.engine.is_deleted = True
    write_segment(world.bucket, SPACE, [photo("d")])
    assert world.mirror().segments == 3
    assert world.state.table != lost
    assert world.mirrored() != {}
    assert names(world) == ["a", "c", "d"]
    assert world.mirror().segments == 0  # the new table stays
    assert world.state.table in world.tables


def test_a_run_that_loses_its_table_fails_and_says_nothing_of_what_was_in_it(world):
    write_segment(world.bucket, SPACE, [photo("d")])

    class Losing(MemoryEngine):
        def apply(self, entries):
            self.is_deleted = True
            super().apply(entries)

    world.engine.__class__ = Losing
    before = world.state
    with pytest.raises(StorageError, match="does not exist"):
        world.mirror()
    assert world.state == before
    world.mirror()
    assert names(world) == ["a", "c", "d"]


def test_two_runs_that_find_it_lost_agree_on_one_new_table(world):
    world.engine.is_deleted = True
    began = []

    class Second(MemoryEngine):
        def make(self):
            super().make()
            if not began:
                began.append(self)
                world.mirror()

    world.tables.default_factory = Second
    world.mirror()
    assert names(world) == ["a", "c"]
    assert world.mirror().segments == 0


def test_a_lost_segment_is_reported_and_the_others_are_mirrored(world):
    for name in "efghijklmnopqrstu":
        write_segment(world.bucket, SPACE, [photo(name)])
    world.compact()
    for stat in [*world.bucket.list(f"{SPACE}/segments/")]:
        world.bucket.delete(stat.name)
    write_segment(world.bucket, SPACE, [photo("new")])
    report = world.mirror()
    assert set(report.damaged.values()) == {"it is missing, but the commit names it"}
    assert "new" in names(world)

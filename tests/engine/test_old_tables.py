"""Tables that no search uses any more are deleted, and no others."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import timedelta

import pytest

from clipsearch.engine.mirror import mirror
from clipsearch.engine.old_tables import delete_old_tables
from clipsearch.engine.state import START_OVER_AFTER, new_table, newest_state, table_path
from clipsearch.errors import StorageError
from clipsearch.index.format.segments import write_segment
from tests.engine.driving import Killed
from tests.engine.memory_engine import MemoryEngine
from tests.index.making import SPACE, photo
from tests.support.buckets import HookedBucket
from tests.support.memory import MemoryBucket

DAY = timedelta(days=1)


class World:
    """Its engine writes two objects for each table."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.tables: dict[str, MemoryEngine] = defaultdict(MemoryEngine)
        write_segment(self.bucket, SPACE, [photo("a")])

    def open(self, name: str) -> MemoryEngine:
        for part in ("_versions/1.manifest", "data/1.lance"):
            self.bucket.create(f"{table_path(SPACE, name)}/{part}", b"")
        return self.tables[name]

    def mirror(self, bucket=None) -> str:
        state, _ = mirror(
            bucket or self.bucket,
            SPACE,
            4,
            self.open,
            lambda: self.bucket.now,
            lambda done, known: None,
        )
        return state.table

    def mirror_often(self) -> None:
        """Until no state names an older table."""
        for _ in range(20):
            self.bucket.later(timedelta(hours=2))
            self.mirror()

    def existing(self) -> list[str]:
        names = self.bucket.names(f"{SPACE}/tables/")
        return sorted({name.split("/")[2].removesuffix(".lance") for name in names})


@pytest.fixture
def world() -> World:
    return World()


def replaced(world: World) -> tuple[str, str]:
    """The old and the new table."""
    old = world.mirror()
    world.bucket.later(START_OVER_AFTER + timedelta(hours=1))
    new = world.mirror()
    assert new != old
    return old, new


def test_a_table_is_deleted_a_day_after_the_next_one_is_whole(world):
    old, new = replaced(world)
    assert world.existing() == sorted([old, new])
    world.bucket.later(timedelta(hours=20))
    world.mirror()
    assert world.existing() == sorted([old, new])
    world.mirror_often()
    assert world.existing() == [new]
    assert len(world.bucket.names(f"{SPACE}/tables/")) == 2


def test_while_a_new_table_is_filled_the_old_one_stays(world):
    old = world.mirror()

    class Broken(MemoryEngine):
        def improve(self) -> None:
            raise StorageError("503")

    world.tables.default_factory = Broken
    world.bucket.later(START_OVER_AFTER + DAY)
    for _ in range(30):
        world.bucket.later(timedelta(hours=1))
        with pytest.raises(StorageError):
            world.mirror()
        delete_old_tables(world.bucket, SPACE, world.bucket.now)
    assert old in world.existing()


def test_a_table_that_another_run_has_just_begun_stays(world):
    _, new = replaced(world)
    world.mirror_often()
    begun = new_table(SPACE, world.bucket.now).table
    world.open(begun)
    world.mirror()
    assert world.existing() == sorted([new, begun])
    world.mirror_often()
    assert world.existing() == [new]


def test_other_objects_stay(world):
    _, new = replaced(world)
    others = [f"{SPACE}/tables/notes.txt", f"{SPACE}/tables/Mine.lance/data/1", "ab/tables/1-2.x"]
    for name in others:
        world.bucket.create(name, b"")
    world.mirror_often()
    assert new in world.existing()
    assert all(name in world.bucket.objects for name in others)


def test_with_a_damaged_state_nothing_is_deleted(world):
    old, _ = replaced(world)
    world.mirror_often()
    world.open(old)
    first = world.bucket.names(f"{SPACE}/mirror/")[0]
    world.bucket.objects[first] = b"{}", world.bucket.objects[first][1]
    assert delete_old_tables(world.bucket, SPACE, world.bucket.now) == []
    assert old in world.existing()


@pytest.mark.parametrize("calls", range(1, 3))
def test_a_killed_run_is_continued(world, calls):
    """Versions go first: half a table cannot be opened."""
    old, new = replaced(world)
    world.mirror_often()
    world.open(old)
    lock, left = threading.Lock(), [calls]

    def before(method: str, name: str) -> None:
        with lock:
            if method == "delete":
                left[0] -= 1
            if left[0] <= 0:
                raise Killed

    with pytest.raises(Killed):
        delete_old_tables(HookedBucket(world.bucket, before), SPACE, world.bucket.now)
    assert old in world.existing()
    if calls > 1:
        assert f"{table_path(SPACE, old)}/_versions/1.manifest" not in world.bucket.objects
    world.mirror()
    assert world.existing() == [new]


def test_two_runs_at_once_delete_the_same(world):
    old, new = replaced(world)
    world.mirror_often()
    world.open(old)
    done: list[int] = []

    def before(method: str, name: str) -> None:
        if method == "delete" and not done:
            done.append(1)
            delete_old_tables(world.bucket, SPACE, world.bucket.now)

    delete_old_tables(HookedBucket(world.bucket, before), SPACE, world.bucket.now)
    assert done
    assert world.existing() == [new]


def test_a_table_that_is_not_filled_within_days_is_begun_again(world):
    """Compaction may have dropped tombstones of the time since it began."""

    class Broken(MemoryEngine):
        def improve(self) -> None:
            raise StorageError("503")

    world.tables.default_factory = Broken
    with pytest.raises(StorageError):
        world.mirror()
    first = newest_state(world.bucket, SPACE)
    world.bucket.later(timedelta(days=2))
    with pytest.raises(StorageError):
        world.mirror()
    assert newest_state(world.bucket, SPACE).table == first.table
    world.tables.default_factory = MemoryEngine
    world.bucket.later(timedelta(days=2))
    assert world.mirror() != first.table

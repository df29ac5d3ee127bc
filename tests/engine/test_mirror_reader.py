"""Which table a search follows, what it reads, and when it refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clipsearch.engine.state import KEPT, MirrorState, publish, state_numbers
from clipsearch.errors import StorageError
from clipsearch.index.search.filter import Filter
from search.engine.cache import Fresh
from tests.engine.memory_engine import MemoryEngine
from tests.engine.mirrored_searches import SearchesOfAMirror, World, names
from tests.index.making import SPACE, photo, tombstone, unit


@pytest.fixture
def world() -> World:
    return World()


class TestSearchesOfAMirror(SearchesOfAMirror):
    """With the engine in memory."""


def test_a_merge_of_what_the_table_holds_is_not_read(world):
    for name in "abcdefghijklmnopq":
        world.write(photo(name))
    world.mirror()
    world.compact()
    assert len(names(world.reader())) == 17
    assert world.read == []


def test_the_table_is_asked_once_for_each_newer_entry(world):
    world.write(photo("a"))
    world.mirror()
    reader = world.reader()
    _, union = reader.refresh()
    world.write(photo("a", 2), photo("b"))
    reader.refresh()
    reader.refresh()
    world.write(photo("c"))
    reader.refresh()
    assert union.table.asked == [2, 1]


def test_entries_that_the_table_has_take_no_memory(world):
    first = world.write(photo("a"), photo("b"))
    world.mirror()
    state = world.state
    world.bucket.delete(f"{SPACE}/mirror/{state.number:012}.json")
    publish(
        world.bucket,
        MirrorState(SPACE, state.table, state.whole, since=state.since),
        frozenset(),
        world.bucket.now,
    )
    snapshot, union = world.reader().refresh()
    assert world.read == [first]
    assert len(snapshot.catalogue.live) == 0
    assert union.count() == 2


def test_without_a_whole_table_all_segments_are_read(world, monkeypatch):
    world.write(photo("a"))
    assert names(world.reader()) == ["a"]

    class Broken(MemoryEngine):
        def improve(self) -> None:
            raise StorageError("503")

    world.tables.default_factory = Broken
    with pytest.raises(StorageError):
        world.mirror()
    assert world.state.since is None
    snapshot, union = world.reader().refresh()
    assert union.table.photos == 0
    assert snapshot.photos == 1


def test_while_a_new_table_is_filled_the_old_one_is_used(world, monkeypatch):
    monkeypatch.setattr("clipsearch.engine.mirror.BATCH", 1)
    world.write(photo("a"), photo("b"))
    world.mirror()
    old = world.state.table
    world.bucket.later(timedelta(days=4))
    names_ = [f"{i}" for i in range(2 * KEPT)]
    for name in names_:
        world.write(photo(name))

    class Broken(MemoryEngine):
        def improve(self) -> None:
            raise StorageError("503")

    world.tables.default_factory = Broken
    with pytest.raises(StorageError):
        world.mirror()
    assert world.state.table != old
    assert len(state_numbers(world.bucket, SPACE)) > KEPT
    reader = world.reader()
    assert names(reader) == sorted(["a", "b", *names_])
    _, union = reader.refresh()
    assert union.table.photos == 2


def test_a_mirror_that_is_too_old_is_refused_when_a_search_begins(world):
    """A tombstone of before may be gone: the table would show a deleted photo."""
    world.write(photo("a"), photo("b"))
    world.mirror()
    running = world.reader()
    served = Fresh("the index", lambda _: running.refresh(), every=0, patience=0)
    served.get()
    written = int(world.bucket.now.timestamp() * 1e6)
    world.write(tombstone("a", 1, time_us=written))
    for _ in range(7 * 24 // 5 + 1):
        assert names(running) in (["a", "b"], ["b"])
        world.bucket.later(timedelta(hours=5))
    names(running)
    world.compact()
    for _ in range(3):
        world.bucket.later(timedelta(hours=3))
        names(running)
        world.compact()
    assert names(running) == ["b"]  # it has seen the tombstone
    with pytest.raises(StorageError, match="run clipsearch mirror"):
        world.reader().refresh()
    world.bucket.later(timedelta(hours=7))  # asleep
    with pytest.raises(StorageError, match="run clipsearch mirror"):
        running.refresh()
    with pytest.raises(StorageError, match="run clipsearch mirror"):  # not what it had before
        served.get()
    world.mirror()
    served.renew()
    assert served.get()
    assert names(world.reader()) == names(running) == ["b"]


def test_a_deleted_table_is_replaced_by_the_newest(world):
    world.write(photo("a"))
    world.mirror()
    reader = world.reader()
    reader.refresh()
    world.tables[world.state.table].is_deleted = True
    for name in world.bucket.names(f"{SPACE}/mirror/"):
        world.bucket.delete(name)
    world.mirror()
    world.write(photo("b"))
    assert names(reader) == ["a", "b"]


def test_a_newer_segment_of_another_dimension_is_set_aside(world):
    """Even if it is the only one that is read."""
    world.write(photo("a"))
    world.mirror()
    wrong = world.write(photo("b", vector=unit(1, 0)))
    reader = world.reader()
    assert names(reader) == ["a"]
    [said] = reader.refresh()[0].damaged
    assert wrong in said
    world.write(photo("c"))
    assert names(reader) == ["a", "c"]


def test_a_damaged_state_is_passed_over(world):
    world.write(photo("a"))
    world.mirror()
    world.write(photo("b"))
    world.mirror()
    newest = world.bucket.names(f"{SPACE}/mirror/")[-1]
    world.bucket.objects[newest] = b"{}", world.bucket.objects[newest][1]
    assert names(world.reader()) == ["a", "b"]


def test_a_table_of_another_schema_is_not_used_and_replaced(world, monkeypatch):
    monkeypatch.setattr("clipsearch.engine.state.SCHEMA", 1)
    monkeypatch.setattr(MirrorState.__init__, "__defaults__", (frozenset(), 0, None, 1))
    world.write(photo("a"))
    world.mirror()
    first = world.state
    monkeypatch.undo()
    assert first.schema == 1
    with pytest.raises(StorageError, match="run clipsearch mirror"):
        world.reader().refresh()
    world.mirror()
    assert world.state.table != first.table
    assert names(world.reader()) == ["a"]


def test_what_has_no_column_is_named(world):
    _, union = world.reader().refresh()
    assert union.refused(Filter(name="a", near=(1, 2, 3), photo="b")) == ["name", "near"]
    assert union.refused(Filter()) == []

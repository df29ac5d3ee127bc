"""The mirror gets what the index has: late, doubled, merged, purged, damaged and raced."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.engine.mirror import Report, batches_of, mirror
from clipsearch.engine.reduced import MAX_RANKED, rank_of
from clipsearch.engine.state import KEPT, START_OVER_AFTER, MirrorState, newest_state
from clipsearch.errors import StorageError, UnknownFormat
from clipsearch.index.compaction import compact
from clipsearch.index.compaction import merge as merging
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.segments import segment_path, write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from tests.engine.driving import Killed
from tests.engine.memory_engine import MemoryEngine
from tests.index.making import SPACE, Facts, entries_lists, facts, npz, photo, tombstone, unit
from tests.support.memory import START, MemoryBucket


class World:
    """An index, its mirror, and a clock."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.tables: dict[str, MemoryEngine] = defaultdict(MemoryEngine)
        self.batches: list[tuple[int, int]] = []

    def mirror(self, open_table: Callable[[str], MemoryEngine] | None = None) -> Report:
        _, report = mirror(
            self.bucket,
            SPACE,
            4,
            open_table or self.tables.__getitem__,
            lambda: self.bucket.now,
            lambda done, known: self.batches.append((done, known)),
        )
        return report

    def compact(self) -> None:
        compact(self.bucket, SPACE, time.monotonic() + 60, self.bucket.now)

    @property
    def state(self) -> MirrorState:
        state = newest_state(self.bucket, SPACE)
        assert state is not None
        return state

    @property
    def engine(self) -> MemoryEngine:
        return self.tables[self.state.table]

    def mirrored(self) -> Facts:
        return facts(self.engine.entries)

    def indexed(self) -> Facts:
        """What a reader of the segments has, without vectors."""
        return facts(SnapshotReader(self.bucket, SPACE).refresh().entries, vectors=False)


@pytest.fixture
def world() -> World:
    return World()


def test_a_photo_is_mirrored_replaced_and_deleted(world):
    write_segment(world.bucket, SPACE, [photo("a", 1), photo("b", 1)])
    assert world.mirror() == Report(segments=1, entries=2)
    assert world.engine.count() == 2
    write_segment(world.bucket, SPACE, [photo("a", 2)])
    write_segment(world.bucket, SPACE, [tombstone("b", 1)])
    assert world.mirror() == Report(segments=2, entries=2)
    assert world.engine.count() == 1
    assert facts(world.engine.entries, vectors=False) == world.indexed()


def test_an_old_entry_that_comes_late_changes_nothing(world):
    write_segment(world.bucket, SPACE, [photo("a", 2)])
    world.mirror()
    before = world.mirrored()
    write_segment(world.bucket, SPACE, [tombstone("a", 1)])
    world.mirror()
    assert world.mirrored() == before


def test_a_run_without_news_reads_no_segment_and_publishes_nothing(world):
    write_segment(world.bucket, SPACE, [photo("a")])
    world.mirror()
    number = world.state.number
    assert world.mirror() == Report()
    assert world.state.number == number
    assert len(world.engine.applied) == 1
    assert world.engine.improved == 2


def test_a_merge_of_segments_that_it_holds_is_not_read_again(world):
    for name in "abcdefghijklmnopq":
        write_segment(world.bucket, SPACE, [photo(name)])
    world.mirror()
    world.compact()
    assert world.mirror() == Report()
    world.bucket.later(timedelta(days=1))
    world.compact()  # deletes the sources, and forgets them in the commit
    world.bucket.later(timedelta(hours=1))
    assert world.mirror() == Report()


def test_a_state_forgets_segments_that_no_commit_names(world):
    for round_ in range(3):
        for name in "abcdefghijklmnopq":
            write_segment(world.bucket, SPACE, [photo(name, round_ + 1)])
        world.mirror()
        world.compact()
        world.bucket.later(timedelta(days=1))
        world.compact()
        world.mirror()
    assert len(world.state.segments) < 17


def test_a_damaged_segment_is_skipped_and_its_repair_noticed(world):
    write_segment(world.bucket, SPACE, [photo("a")])
    name = write_segment(world.bucket, SPACE, [photo("b")])
    path = segment_path(SPACE, name)
    good, stat = world.bucket.objects[path]
    world.bucket.objects[path] = b"no segment", stat
    report = world.mirror()
    assert report.entries == 1
    assert report.damaged.keys() == {name}
    world.bucket.objects[path] = good, stat
    assert world.mirror().entries == 1
    assert world.engine.count() == 2


def test_vectors_of_another_dimension_are_skipped(world):
    write_segment(world.bucket, SPACE, [photo("a")])
    name = write_segment(world.bucket, SPACE, [photo("b", 1, unit(1, 0))])
    report = world.mirror()
    assert report.damaged == {name: "its vectors have 2 dimensions, not 4"}
    assert world.engine.count() == 1


def test_the_sources_of_a_damaged_merge_replace_it(world):
    for name in "abcdefghijklmnopq":
        write_segment(world.bucket, SPACE, [photo(name)])
    world.compact()
    [merged] = [n for n in world.bucket.names(f"{SPACE}/segments/") if _size(world, n) > 5_000]
    world.bucket.objects[merged] = b"no segment", world.bucket.objects[merged][1]
    report = world.mirror()
    assert list(report.damaged) == [merged.rpartition("/")[2]]
    assert world.engine.count() == 17


def _size(world: World, name: str) -> int:
    return len(world.bucket.objects[name][0])


def test_a_segment_of_a_newer_version_stops_it(world):
    name = write_segment(world.bucket, SPACE, [photo("a")])
    path = segment_path(SPACE, name)
    world.bucket.objects[path] = npz(format=99), world.bucket.objects[path][1]
    with pytest.raises(UnknownFormat):
        world.mirror()
    assert newest_state(world.bucket, SPACE) is None


def test_a_mirror_that_missed_tombstones_starts_over(world):
    write_segment(world.bucket, SPACE, [photo("a"), photo("b")])
    world.mirror()
    first = world.state.table
    write_segment(world.bucket, SPACE, [tombstone("a", 1, time_us=int(START.timestamp() * 1e6))])
    for _ in range(4):  # merged, purged, and the sources deleted
        world.compact()
        world.bucket.later(timedelta(days=8))
    assert all(name != "a" for name, *_ in world.indexed())
    world.mirror()
    assert world.state.table != first
    assert facts(world.engine.entries, vectors=False) == world.indexed()


def test_a_mirror_without_news_does_not_start_over(world):
    write_segment(world.bucket, SPACE, [photo("a")])
    world.mirror()
    table = world.state.table
    for _ in range(6):
        world.bucket.later(START_OVER_AFTER / 2)
        world.mirror()
    assert world.state.table == table
    assert len(world.bucket.names(f"{SPACE}/mirror/")) <= KEPT


def test_a_damaged_state_is_passed_over(world):
    write_segment(world.bucket, SPACE, [photo("a")])
    world.mirror()
    write_segment(world.bucket, SPACE, [photo("b")])
    world.mirror()
    newest = world.bucket.names(f"{SPACE}/mirror/")[-1]
    world.bucket.objects[newest] = b"{}", world.bucket.objects[newest][1]
    write_segment(world.bucket, SPACE, [photo("c")])
    world.mirror()
    assert world.engine.count() == 3
    assert world.state.number > 2


def test_a_killed_run_is_continued(world, monkeypatch):
    monkeypatch.setattr("clipsearch.engine.mirror.BATCH", 1)
    for name in "abc":
        write_segment(world.bucket, SPACE, [photo(name)])

    class Dying(MemoryEngine):
        def apply(self, entries: Entries) -> None:
            super().apply(entries)
            if len(self.applied) == 2:
                raise Killed

    world.tables.default_factory = Dying
    with pytest.raises(Killed):
        world.mirror()
    assert len(world.state.segments) == 1
    report = world.mirror()
    assert report.segments == 2  # the one that was applied but not published, again
    assert world.engine.count() == 3


def test_a_fill_that_goes_on_later_misses_no_tombstone(world, monkeypatch):
    """Compaction may drop one that was a week old when the fill began: it was applied first."""
    monkeypatch.setattr("clipsearch.engine.mirror.BATCH", 1)
    monkeypatch.setattr(merging, "FANOUT", 2)
    written = START - timedelta(days=7)
    write_segment(world.bucket, SPACE, [photo("a"), photo("b")])
    write_segment(world.bucket, SPACE, [tombstone("a", 1, int(written.timestamp() * 1e6))])

    class Dying(MemoryEngine):
        def apply(self, entries: Entries) -> None:
            if len(self.applied) == 2:
                following = world.tables[world.state.table] = MemoryEngine()
                following.make()
                following.entries = self.entries
                raise Killed
            super().apply(entries)

    world.tables.default_factory = Dying
    with pytest.raises(Killed):
        world.mirror()
    first = world.state
    assert first.since is None
    assert world.engine.count() == 1
    for _ in range(4):  # merged, the sources deleted, purged
        world.compact()
        world.bucket.later(timedelta(hours=9))
    assert {name for name, *_ in world.indexed()} == {"b"}
    world.mirror()
    assert world.state.table == first.table
    assert world.engine.count() == 1


def test_two_mirrors_at_once_agree_on_one_table(world):
    """The second runs whole while the first applies its first batch."""
    write_segment(world.bucket, SPACE, [photo("a")])

    class Slow(MemoryEngine):
        def apply(self, entries: Entries) -> None:
            super().apply(entries)
            if len(world.tables) == 1:
                write_segment(world.bucket, SPACE, [photo("b")])
                world.mirror(lambda table: others[table])

    others: dict[str, MemoryEngine] = defaultdict(MemoryEngine)

    def opened(table: str) -> MemoryEngine:
        if table not in others and table not in world.tables:
            world.tables[table] = Slow()
        elif table in others:
            world.tables[table] = others[table]
        return world.tables[table]

    world.mirror(opened)
    assert world.state.table in others
    assert world.engine.count() == 2


def test_segments_that_vanish_while_they_are_read_are_found_in_their_merge(world):
    for name in "abcdefghijklmnopq":
        write_segment(world.bucket, SPACE, [photo(name)])
    read, calls = world.bucket.read, []

    def vanishing(name: str, *args: object, **kwargs: object) -> bytes:
        if "/segments/" in name and not calls:
            calls.append(name)
            world.compact()
            world.bucket.later(timedelta(days=1))
            world.compact()
        return read(name, *args, **kwargs)

    world.bucket.read = vanishing
    world.mirror()
    assert calls
    assert world.engine.count() == 17


def test_an_index_that_vanishes_again_and_again_is_an_error(world):
    name = write_segment(world.bucket, SPACE, [photo("a")])
    listing = world.bucket.list

    def list_(prefix: str = "", start: str = ""):
        yield from listing(prefix, start)

    stats = [*listing(f"{SPACE}/segments/")]
    world.bucket.delete(segment_path(SPACE, name))
    world.bucket.list = lambda prefix="", start="": (
        iter(stats) if "segments" in prefix else list_(prefix, start)
    )
    with pytest.raises(StorageError, match="changes faster"):
        world.mirror()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(entries_lists(names="abc"), st.sampled_from("wmck")), max_size=6))
def test_any_order_of_writes_merges_and_mirrors_ends_in_the_index(steps):
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "FANOUT", 2)
        patch.setattr("clipsearch.engine.mirror.BATCH", 4)
        write_segment(world.bucket, SPACE, [photo("a")])
        for number, (entries, step) in enumerate(steps):
            # Of two events at the same time, either may win.
            events = [replace(e, time_us=e.time_us + 100 * (number + 1)) for e in entries]
            write_segment(world.bucket, SPACE, events)
            if step == "m":
                world.mirror()
            elif step == "c":
                world.compact()
            elif step == "k":
                world.bucket.later(timedelta(hours=7))
                world.compact()
        world.mirror()
    assert facts(world.engine.entries, vectors=False) == world.indexed()


@given(entries_lists(names="ab"))
def test_the_rank_decides_as_the_merge_rule_does(drawn):
    entries = Entries.from_entries(drawn)
    ranks = rank_of(entries.generations, entries.kinds)
    wins = entries.winners()
    for name in {entry.name for entry in drawn}:
        rows = [row for row in range(len(entries)) if entries.name(row) == name]
        [winner] = [row for row in rows if wins[row]]
        assert ranks[winner] == max(ranks[rows])


def test_the_greatest_generation_has_a_rank():
    ranks = rank_of(
        Entries.from_entries([photo("a", MAX_RANKED), photo("b", 2**63 - 1)]).generations,
        Entries.from_entries([photo("a"), tombstone("b")]).kinds,
    )
    assert ranks.tolist() == [4 * MAX_RANKED + Kind.VECTOR, 4 * MAX_RANKED + Kind.TOMBSTONE]


def test_batches_are_within_their_limit_and_have_every_name():
    assert batches_of(["b", "a", "c", "d"], {"a": 3, "b": 2, "d": 9}, 4) == [
        ["a"],
        ["b", "c"],
        ["d"],
    ]
    assert batches_of([], {}, 4) == []


def test_large_segments_that_no_commit_knows_are_not_read_at_once(world, monkeypatch):
    """As the tool for bulk embedding writes them."""
    monkeypatch.setattr("clipsearch.engine.mirror.BATCH", 250)
    for begin in range(0, 600, 100):
        many = [photo(f"{i}", 1, unit(1, 0, 0, i)) for i in range(begin, begin + 100)]
        write_segment(world.bucket, SPACE, many)
    world.mirror()
    vectors = [len(names) for names in world.engine.applied]
    assert sum(vectors) == 600
    assert max(vectors) <= 200

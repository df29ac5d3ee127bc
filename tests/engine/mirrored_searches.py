"""Searches of a mirror, for any engine: the tests of each engine are a class of these."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta

import numpy as np
import pytest

from clipsearch.engine import mirror_reader
from clipsearch.engine.mirror import mirror
from clipsearch.engine.mirror_reader import MirrorReader
from clipsearch.engine.state import MirrorState, newest_state
from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.compaction import compact
from clipsearch.index.format.entries import Cause, Entry, Kind
from clipsearch.index.format.facts import Facts, Orientation
from clipsearch.index.format.segments import segments_prefix, write_segment
from clipsearch.index.search.filter import Filter, Moment
from tests.engine.memory_engine import MemoryEngine
from tests.index.making import SPACE, failure, photo, random_units, tombstone, unit
from tests.support.buckets import HookedBucket
from tests.support.memory import MemoryBucket


class World:
    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.tables: dict[str, MemoryEngine] = defaultdict(MemoryEngine)
        self.read: list[str] = []
        self.seen = HookedBucket(self.bucket, before=self._note)

    def _note(self, method: str, name: str) -> None:
        if method == "read" and name.startswith(segments_prefix(SPACE)):
            self.read.append(name.removeprefix(segments_prefix(SPACE)))

    def write(self, *entries: Entry) -> str:
        return write_segment(self.bucket, SPACE, entries)

    def mirror(self) -> None:
        mirror(
            self.bucket,
            SPACE,
            4,
            self.tables.__getitem__,
            lambda: self.bucket.now,
            lambda done, known: None,
        )

    def reader(self) -> MirrorReader:
        return MirrorReader(self.seen, SPACE, 4, self.tables.__getitem__, lambda: self.bucket.now)

    def compact(self) -> None:
        compact(self.bucket, SPACE, time.monotonic() + 60, self.bucket.now)

    @property
    def state(self) -> MirrorState:
        state = newest_state(self.bucket, SPACE)
        assert state is not None
        return state


def names(reader: MirrorReader) -> list[str]:
    _, union = reader.refresh()
    return sorted(hit.name for hit in union.search(unit(1, 2, 3, 4), 100))


class SearchesOfAMirror:
    """A subclass has the fixture `world`: a World with tables of its engine."""

    def test_only_segments_that_the_table_lacks_are_read(self, world):
        world.write(photo("a"), photo("b"))
        world.mirror()
        newer = world.write(photo("c"))
        reader = world.reader()
        assert names(reader) == ["a", "b", "c"]
        assert world.read == [newer]
        names(reader)
        assert world.read == [newer]

    @pytest.mark.parametrize(
        ("held", "newer", "shown"),
        [
            (photo("a", 2), tombstone("a", 1), 2),
            (photo("a", 2), tombstone("a", 2), None),
            (photo("a", 2), photo("a", 1), 2),
            (photo("a", 2), photo("a", 3), 3),
            (photo("a", 2), failure("a", 2), 2),
            (photo("a", 2), failure("a", 3), None),
            (tombstone("a", 2), photo("a", 2), None),
            (tombstone("a", 2), photo("a", 3), 3),
            (failure("a", 2), photo("a", 2), 2),
            (failure("a", 2), photo("a", 1), None),
        ],
    )
    def test_a_newer_entry_counts_only_if_it_wins(self, world, held, newer, shown):
        world.write(held, photo("other"))
        world.mirror()
        world.write(newer)
        snapshot, union = world.reader().refresh()
        hits = {hit.name: hit.generation for hit in union.search(unit(1, 0, 0, 0), 9)}
        assert hits == {"other": 1} | ({"a": shown} if shown else {})
        assert union.count() == snapshot.photos == len(hits)
        if shown is None:
            with pytest.raises(PhotoNotIndexed):
                union.vector_of("a")

    def test_newer_facts_of_the_same_photo_replace_older_ones(self, world):
        world.write(photo("a", 1, time_us=1))
        world.mirror()
        reader = world.reader()
        for size in (5, 6):
            world.write(photo("a", 1, time_us=size, facts=Facts(size=size)))
            _, union = reader.refresh()
            [hit] = union.search(unit(1, 0, 0, 0), 9)
            assert hit.facts == Facts(size=size)

    def test_it_goes_on_with_a_newer_table_when_much_is_new(self, world, monkeypatch):
        monkeypatch.setattr(mirror_reader, "WORTH_A_NEW_TABLE", 3)
        world.write(photo("a"))
        world.mirror()
        reader = world.reader()
        _, first = reader.refresh()
        world.write(photo("b"), photo("c"))
        world.bucket.later(timedelta(minutes=1))
        world.mirror()
        assert reader.refresh()[1].table is first.table
        world.write(photo("d"))
        world.mirror()
        world.bucket.later(timedelta(minutes=1))
        reader.refresh()
        world.bucket.later(timedelta(minutes=1))
        snapshot, union = reader.refresh()
        assert union.table.photos == 4
        assert len(snapshot.catalogue.live) == 0

    def test_a_version_is_used_for_an_hour(self, world):
        world.write(photo("a"))
        world.mirror()
        reader = world.reader()
        _, first = reader.refresh()
        world.bucket.later(timedelta(minutes=59))
        assert reader.refresh()[1].table is first.table
        world.bucket.later(timedelta(minutes=2))
        assert reader.refresh()[1].table is not first.table

    def test_a_request_sees_one_state_while_the_index_changes(self, world):
        world.write(photo("a"), photo("b"))
        world.mirror()
        reader = world.reader()
        _, before = reader.refresh()
        world.write(photo("a", 2), tombstone("b", 1), photo("c"))
        reader.refresh()
        assert {h.name: h.generation for h in before.search(unit(1, 0, 0, 0), 9)} == {
            "a": 1,
            "b": 1,
        }
        assert before.count() == 2

    def test_failures_of_both_are_counted_and_listed(self, world):
        skipped = Entry("s", 1, Kind.FAILURE, reason="text", cause=Cause.SKIPPED)
        world.write(failure("a", time_us=1), failure("b", time_us=2), skipped, photo("p"))
        world.mirror()
        world.write(photo("a", 2), failure("c", 1, "new", time_us=3))
        snapshot, _ = world.reader().refresh()
        assert (snapshot.photos, snapshot.failures, snapshot.skipped) == (2, 3, 1)
        listed = snapshot.newest_failed(10)
        assert {(listed.name(i), listed.reason(i)) for i in range(len(listed))} == {
            ("b", "broken"),
            ("c", "new"),
        }
        assert len(snapshot.newest_failed(1)) == 1

    def test_pending_photos_are_those_that_neither_has(self, world):
        world.write(photo("a", 5), photo("b", 5))
        world.mirror()
        world.write(photo("b", 7), photo("c", 1))
        snapshot, _ = world.reader().refresh()
        from clipsearch.index.format.entries import key_of

        asked = [("a", 5), ("a", 6), ("b", 7), ("b", 8), ("c", 1), ("d", 1)]
        keys = np.array([key_of(name) for name, _ in asked], np.uint64)
        assert snapshot.lacking(keys, np.array([generation for _, generation in asked])) == 3

    @pytest.fixture
    def large(self, world, monkeypatch):
        """30 photos in the table, 3 newer ones; a search compares ten of the table."""
        monkeypatch.setattr("clipsearch.engine.union.COMPARED", 10)
        vectors = random_units(33, 4)
        days = [Facts(format="JPEG" if i % 3 else "PNG", taken=86_400 * (i % 7)) for i in range(33)]
        entries = [
            photo(f"{i:02}", 1, v, facts=f)
            for i, (v, f) in enumerate(zip(vectors, days, strict=True))
        ]
        world.write(*entries[:30])
        world.mirror()
        world.write(*entries[30:], tombstone("05"), photo("06", 2, vectors[6], facts=days[6]))
        world.vectors = vectors
        return world

    def test_a_search_finds_the_best_of_the_table_and_all_newer_photos(self, large):
        _, union = large.reader().refresh()
        query = random_units(1, 4, seed=9)[0]
        exact = large.vectors @ query
        of_table = [i for i in np.argsort(-exact) if i < 30 and i not in (5, 6)][:10]
        right = sorted([*of_table, 6, 30, 31, 32], key=lambda i: -exact[i])
        hits = union.search(query, 100)
        assert [hit.name for hit in hits] == [f"{i:02}" for i in right]
        assert union.most_compared == 10
        pages, after = [], None
        while page := union.search(query, 3, after):
            pages += page
            after = page[-1].score, page[-1].name
        assert [hit.name for hit in pages] == [hit.name for hit in hits]

    def test_hidden_photos_do_not_take_the_place_of_others(self, large):
        """However many of the best were deleted: as many others are found."""
        query = random_units(1, 4, seed=9)[0]
        order = [i for i in np.argsort(-(large.vectors @ query)) if i < 30]
        large.write(*(tombstone(f"{i:02}", 2) for i in order[:15]))
        _, union = large.reader().refresh()
        found = {hit.name for hit in union.search(query, 100)}
        left = [f"{i:02}" for i in order[15:] if i not in (5, 6)][:10]
        assert found >= {*left}
        assert not found & {f"{i:02}" for i in order[:15]}

    def test_lists_by_date_are_complete_and_paged(self, large):
        _, union = large.reader().refresh()
        for oldest in (False, True):
            sign = 1 if oldest else -1
            right = sorted((i for i in range(33) if i != 5), key=lambda i: (sign * (i % 7), i))
            listed, after = [], None
            while page := union.newest(4, after, oldest=oldest):
                listed += page
                after = page[-1].date, page[-1].name
            assert [hit.name for hit in listed] == [f"{i:02}" for i in right]

    def test_matches_are_cut_only_where_more_may_match(self, large):
        _, union = large.reader().refresh()
        query = random_units(1, 4, seed=9)[0]
        everything = union.matching(query, -1.0)
        assert everything.is_cut
        assert len(everything) == 14
        exact = np.sort(np.delete(large.vectors @ query, 5))[::-1]
        few = union.matching(query, float(exact[4]) - 1e-5)
        assert not few.is_cut
        assert len(few) == 5
        best = union.matching(query, None)
        assert len(best) == 14
        dated = everything.by_date(100)
        assert [h.date for h in dated] == sorted((h.date for h in dated), reverse=True)
        assert "06" not in {h.name for h in everything.without(["06"]).by_date(100)}

    @pytest.mark.parametrize(
        ("filter", "fits"),
        [
            (Filter(formats=("PNG",)), lambda i: i % 3 == 0),
            (Filter(after=Moment(86_400 * 3)), lambda i: i % 7 >= 3),
            (Filter(before=Moment(86_400 * 3), formats=("JPEG",)), lambda i: i % 7 < 3 and i % 3),
            (Filter(folder="1"), lambda i: 10 <= i < 20),
            (Filter(photo="06"), lambda i: i == 6),
            (Filter(orientation=Orientation.PORTRAIT), lambda i: False),
            (Filter(min_megapixels=0.3), lambda i: True),
        ],
    )
    def test_filters_count_and_find_what_fits(self, large, filter, fits):
        _, union = large.reader().refresh()
        right = {f"{i:02}" for i in range(33) if i != 5 and fits(i)}
        assert union.count(filter) == len(right)
        assert {hit.name for hit in union.newest(100, filter=filter)} == right
        found = {hit.name for hit in union.search(random_units(1, 4)[0], 100, filter=filter)}
        assert found <= right
        assert len(found) >= min(len(right), 10)

    def test_the_sample_is_of_the_table_and_of_newer_photos(self, large):
        _, union = large.reader().refresh()
        assert len(union.sample) == 30 + 4

"""Drives an index, its mirror and a search through drawn steps, beside a plain model.

For any engine: the tests of engines run it with theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from clipsearch.engine.mirror import mirror
from clipsearch.engine.mirror_reader import MirrorReader
from clipsearch.engine.protocol import Engine
from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.compaction import compact, merge
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.index.search.filter import Filter
from clipsearch.index.search.hits import leaders
from tests.index.making import SPACE, entries_lists, random_units
from tests.support.buckets import HookedBucket
from tests.support.memory import MemoryBucket

NAMES = "abcd"
Step = tuple[str, Any]


class Killed(BaseException):
    """The process ends here."""


def steps() -> st.SearchStrategy[list[Step]]:
    """Uploads, overwrites, deletions and failures, in any order and also twice; what else runs."""
    calls = st.integers(0, 30)
    one = st.one_of(
        st.tuples(st.just("write"), entries_lists(names=NAMES)),
        st.tuples(st.just("again"), st.integers(0, 9)),
        st.tuples(st.just("compact"), st.sampled_from([0, 3, 7])),
        st.tuples(st.just("mirror"), st.none()),
        st.tuples(st.just("kill"), calls),
        st.tuples(st.just("beside"), calls),
        st.tuples(st.just("cold"), st.none()),
    )
    return st.lists(one, min_size=1, max_size=8)


class Driver:
    """`open_table`: the engine's table of this name. `tolerance`: of a score."""

    def __init__(self, open_table: Callable[[str], Engine], tolerance: float = 1e-5) -> None:
        self.bucket, self.open_table, self.tolerance = MemoryBucket(), open_table, tolerance
        self.written: list[Entry] = []
        self.reader = self.cold()

    def cold(self) -> MirrorReader:
        return MirrorReader(self.bucket, SPACE, 4, self.open_table, lambda: self.bucket.now)

    def drive(self, drawn: Sequence[Step]) -> None:
        """The model's tombstones stay: no drawn sequence lasts a week."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(merge, "FANOUT", 2)
            patch.setattr("clipsearch.engine.mirror.BATCH", 4)
            patch.setattr("clipsearch.engine.mirror.READERS", 1)  # the same calls in each run
            patch.setattr("clipsearch.engine.mirror_reader.WORTH_A_NEW_TABLE", 3)
            for step, value in drawn:
                getattr(self, f"step_{step}")(value)
                self.bucket.later(timedelta(minutes=1))
                self.check(self.reader)
            self.step_mirror(None)
            self.check(self.reader)
            self.check(self.cold())

    def step_write(self, entries: list[Entry]) -> None:
        begin = int(self.bucket.now.timestamp() * 1e6)
        self._write([replace(entry, time_us=begin + entry.time_us) for entry in entries])

    def step_again(self, number: int) -> None:
        if self.written:
            self._write([self.written[number % len(self.written)]])

    def _write(self, entries: list[Entry]) -> None:
        write_segment(self.bucket, SPACE, entries)
        self.written += entries

    def step_compact(self, hours: int) -> None:
        self.bucket.later(timedelta(hours=hours))
        compact(self.bucket, SPACE, time.monotonic() + 60, self.bucket.now)

    def step_mirror(self, _: None) -> None:
        self.mirror(self.bucket, self.open_table)

    def step_kill(self, calls: int) -> None:
        """A mirror ends before one of its requests, or of its calls to the engine."""
        with suppress(Killed):
            self._hooked(calls, _kill)

    def step_beside(self, calls: int) -> None:
        """Another mirror runs before one of the requests."""
        self._hooked(calls, lambda: self.step_mirror(None))

    def step_cold(self, _: None) -> None:
        self.check(self.cold())

    def _hooked(self, calls: int, hook: Callable[[], None]) -> None:
        left = [calls]

        def before(*_: object) -> None:
            left[0] -= 1
            if left[0] == -1:
                hook()

        def opened(name: str) -> Any:
            return HookedEngine(self.open_table(name), before)

        self.mirror(HookedBucket(self.bucket, before), opened)

    def mirror(self, bucket: Any, open_table: Callable[[str], Engine]) -> None:
        mirror(bucket, SPACE, 4, open_table, lambda: self.bucket.now, lambda done, known: None)

    def states(self) -> dict[str, Entry]:
        """The winning entry of each photo."""

        def order(entry: Entry) -> tuple[Any, ...]:
            return entry.generation, entry.kind, entry.facts is not None, entry.time_us

        return {entry.name: entry for entry in sorted(self.written, key=order)}

    def check(self, reader: MirrorReader) -> None:
        states = self.states().values()
        photos = {e.name: e for e in states if e.kind == Kind.VECTOR}
        snapshot, union = reader.refresh()
        query = random_units(1, 4, seed=len(self.written))[0]
        assert snapshot.photos == union.count() == len(photos)
        assert snapshot.failures == sum(e.kind == Kind.FAILURE for e in states)
        hits = union.search(query, 100)
        assert {(h.name, h.generation, h.facts) for h in hits} == {
            (e.name, e.generation, e.facts) for e in photos.values()
        }
        assert len(hits) == len(photos)
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
        for hit in hits:
            vector = photos[hit.name].vector
            assert hit.score == pytest.approx(float(vector @ query), abs=self.tolerance)
            assert union.vector_of(hit.name) == pytest.approx(vector, abs=self.tolerance)
        for name in {*NAMES} - photos.keys():
            with pytest.raises(PhotoNotIndexed):
                union.vector_of(name)
        listed = union.newest(100)
        assert [h.name for h in listed] == [
            h.name for h in sorted(hits, key=lambda hit: (-hit.date, hit.name))
        ]
        first = Filter(photo="a")
        assert union.count(first) == len(union.search(query, 9, filter=first)) == ("a" in photos)
        assert leaders(hits) == self._leaders([h.name for h in hits])

    def _leaders(self, names: list[str]) -> list[int]:
        """No drawn photo has a hash: only equal vectors are near."""
        vectors: list[Any] = [self.states()[name].vector for name in names]
        return [
            next(i for i, other in enumerate(vectors) if np.allclose(vector, other, atol=1e-6))
            for vector in vectors
        ]


class HookedEngine:
    """Calls `before` ahead of each change."""

    def __init__(self, engine: Engine, before: Callable[[], None]) -> None:
        self._engine, self._before = engine, before

    def make(self) -> None:
        self._before()
        self._engine.make()

    def exists(self) -> bool:
        return self._engine.exists()

    def apply(self, entries: Any) -> None:
        self._before()
        self._engine.apply(entries)

    def improve(self) -> None:
        self._before()
        self._engine.improve()


def _kill() -> None:
    raise Killed

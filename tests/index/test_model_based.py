"""Random interleavings of all operations on an index, compared with a model.

Photos are added, changed and deleted. Their events are late, duplicated, reordered or lost. Some
writers know no facts, as older versions; a reconcile fills them in.
Writers, compactions, readers and reconciles run concurrently, one request at a time; some are
killed. Every reader sees a state that was true during its refresh. After one reconcile, the
index matches the bucket.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from clipsearch.errors import RowsLost, StorageError
from clipsearch.index.compaction import build_packs, compact, merge, purge, run
from clipsearch.index.compaction.build_packs import pack
from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.facts import Facts, facts_of_row
from clipsearch.index.format.segments import segments_prefix, write_segment
from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from tests.index.making import SPACE, photo, tombstone
from tests.support.actors import Actor
from tests.support.memory import MemoryBucket

NAMES = ["a", "b", "c", "d"]
MOST_ROWS = None, 0  # rows of packs in memory: all, or none
# generation, kind, whether it has facts, time: these decide between entries
State = tuple[int, int, bool, int]
AN_EVENT_IS_LATE = timedelta(hours=1)  # maximum, from the lookup of its photo on


def vector_of(name: str, generation: int) -> np.ndarray[Any, Any]:
    """A vector (16,) that identifies its photo and generation."""
    digest = hashlib.sha256(f"{name}@{generation}".encode()).digest()
    numbers = np.frombuffer(digest[:16], np.uint8).astype(np.float32) + 1
    return numbers / np.linalg.norm(numbers)


def facts_of(name: str, generation: int) -> Facts:
    return Facts(format="JPEG", size=generation, hash=ord(name))


def state_of(entry: Entry) -> State:
    return entry.generation, int(entry.kind), entry.facts is not None, entry.time_us


class Event(NamedTuple):
    kind: str
    name: str
    generation: int
    told: datetime


class Reader:
    """A search: its reader and index, and the model's state when its refresh began."""

    def __init__(self, bucket: MemoryBucket, most_rows: int | None) -> None:
        """`most_rows`: of SnapshotReader."""
        self.bucket, self.most_rows = bucket, most_rows
        self.stepped: SnapshotReader | None = None
        self.index = PhotoIndex()
        self.refreshing: Actor | None = None
        self.known_before: dict[str, State] = {}


class Index(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(merge, "FANOUT", 2)
        self.patch.setattr(merge, "MAX_SEGMENT", 8)
        self.patch.setattr(merge, "MAX_SOURCES", 4)
        self.patch.setattr(build_packs, "pack", partial(pack, exact_limit=4, worth_packing=3))
        self.patch.setattr(build_packs, "direction_in", lambda bucket, space: None)
        self.patch.setattr(run, "REQUESTS", 1)  # makes a test run reproducible
        self.bucket = MemoryBucket()
        self.bucket.page = 3
        self.photos: dict[str, int] = {}
        self.generation = 0
        self.events: list[Event] = []
        self.writing: list[tuple[Any, Entry]] = []  # photo looked up, entry not yet written
        self.truth: dict[str, State] = {}
        self.compactions: list[Actor] = []
        self.readers: list[Reader] = []

    # The photos bucket and its events.

    @initialize(names=st.lists(st.sampled_from(NAMES), min_size=3, max_size=9))
    def begin(self, names: list[str]) -> None:
        self.come(names)

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4), has_facts=st.booleans())
    def come(self, names: list[str], has_facts: bool = False) -> None:
        """Photos whose events are delivered and acknowledged immediately."""
        for name in names:
            self.upload(name)
            self.take(self.events.pop(), has_facts)
            self.write(self.writing.pop()[1])

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
    def go(self, names: list[str]) -> None:
        for name in names:
            if name in self.photos:
                self.take(Event("deleted", name, self.photos.pop(name), self.bucket.now))

    def tell(self, kind: str, name: str, generation: int) -> None:
        self.events.append(Event(kind, name, generation, self.bucket.now))

    @rule(name=st.sampled_from(NAMES))
    def upload(self, name: str) -> None:
        if name in self.photos:
            self.tell("deleted", name, self.photos[name])
        self.generation += 1
        self.photos[name] = self.generation
        self.tell("finalized", name, self.generation)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        if name in self.photos:
            self.tell("deleted", name, self.photos.pop(name))

    @precondition(lambda self: self.events)
    @rule(data=st.data(), again=st.booleans(), has_facts=st.booleans())
    def deliver(self, data: st.DataObject, again: bool, has_facts: bool) -> None:
        event = data.draw(st.sampled_from(self.events))
        if not again:
            self.events.remove(event)
        self.take(event, has_facts)

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.events.remove(data.draw(st.sampled_from(self.events)))

    # Ingest.

    def take(self, event: Event, has_facts: bool = False) -> None:
        kind, name, generation, _ = event
        time_us = int(self.bucket.now.timestamp() * 1e6)
        if kind == "deleted":
            self.write(tombstone(name, generation, time_us))
        elif self.photos.get(name) == generation:
            facts = facts_of(name, generation) if has_facts else None
            entry = photo(name, generation, vector_of(name, generation), time_us, facts)
            self.writing.append((self.bucket.now, entry))

    @precondition(lambda self: self.writing)
    @rule(data=st.data())
    def finish_writing(self, data: st.DataObject) -> None:
        _, entry = self.writing.pop(data.draw(st.integers(0, len(self.writing) - 1)))
        self.write(entry)

    @precondition(lambda self: self.writing)
    @rule()
    def kill_a_writer(self) -> None:
        _, entry = self.writing.pop()
        self.tell("finalized", entry.name, entry.generation)  # not acknowledged: redelivered

    def write(self, *entries: Entry) -> None:
        write_segment(self.bucket, SPACE, entries)
        for entry in entries:
            state = state_of(entry)
            self.truth[entry.name] = max(state, self.truth.get(entry.name, state))

    # Compaction.

    @rule()
    def begin_compaction(self) -> None:
        if len(self.compactions) < 3:
            now, deadline = self.bucket.now, time.monotonic() + 3600
            self.compactions.append(
                Actor(self.bucket, lambda bucket: compact(bucket, SPACE, deadline, now))
            )

    @rule()
    def compact_at_once(self) -> None:
        compact(self.bucket, SPACE, time.monotonic() + 3600, self.bucket.now)

    @precondition(lambda self: self.compactions)
    @rule(which=st.integers(0, 2), requests=st.integers(1, 40))
    def go_on_compacting(self, which: int, requests: int) -> None:
        actor = self.compactions[which % len(self.compactions)]
        if actor.step(requests):
            self.end(actor)

    @precondition(lambda self: self.compactions)
    @rule(which=st.integers(0, 2))
    def kill_a_compaction(self, which: int) -> None:
        self.compactions.pop(which % len(self.compactions)).kill()

    def end(self, actor: Actor) -> None:
        self.compactions.remove(actor)
        actor.finish()

    # Time. No operation exceeds its time limit.

    @rule(hours=st.sampled_from([0.5, 2.5, 26, 8 * 24]))
    def later(self, hours: float) -> None:
        time = timedelta(hours=hours)
        for actor in list(self.compactions):
            if self.bucket.now + time - actor.started > run.GRACE / 2:
                self.end(actor)
        for begun, entry in list(self.writing):
            if self.bucket.now + time - begun > AN_EVENT_IS_LATE:
                self.writing.remove((begun, entry))
                self.write(entry)
        # Unacknowledged events expire before TOMBSTONES, or tombstones would be useless.
        kept = self.bucket.now + time - purge.TOMBSTONES
        self.events = [event for event in self.events if event.told > kept]
        if hours > 24:  # after a day without a refresh a reader starts over
            for reader in self.readers:
                self.finish_reading(reader)
            self.readers.clear()
        self.bucket.later(time)

    # Readers.

    @rule(most_rows=st.sampled_from(MOST_ROWS))
    def begin_reading(self, most_rows: int | None) -> None:
        if len(self.readers) < 3:
            self.readers.append(Reader(self.bucket, most_rows))

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 2), requests=st.integers(1, 12))
    def go_on_reading(self, which: int, requests: int) -> None:
        reader = self.readers[which % len(self.readers)]
        if reader.refreshing is None:
            reader.known_before = dict(self.truth)
            reader.refreshing = Actor(self.bucket, lambda bucket: refresh(reader, bucket))
        if reader.refreshing.step(requests):
            self.finish_reading(reader)

    def finish_reading(self, reader: Reader) -> None:
        if reader.refreshing is None:
            return
        try:
            found = reader.refreshing.finish()
        except StorageError:
            return  # a 503: the client retries
        finally:
            reader.refreshing = None
        if reader.stepped and reader.stepped._store:
            reader.stepped._store._bucket = self.bucket  # a search reads without steps
        reader.index.update(found)
        with suppress(RowsLost):  # its pack was deleted in the hours of the refresh: a 503, too
            self.check(found, reader.index, reader.known_before)

    # A minimal reconcile.

    def reconcile(self) -> None:
        known = states(SnapshotReader(self.bucket, SPACE, keep_vectors=False).refresh())
        time_us = int(self.bucket.now.timestamp() * 1e6)
        for name, generation in self.photos.items():
            if known.get(name, (0, 0, False, 0))[:3] != (generation, Kind.VECTOR, True):
                vector, facts = vector_of(name, generation), facts_of(name, generation)
                self.write(photo(name, generation, vector, time_us, facts))
        for name, (generation, kind, *_) in known.items():
            if name not in self.photos and kind != Kind.TOMBSTONE:
                self.write(tombstone(name, generation, time_us))

    # Invariants.

    def check(self, found: Snapshot, index: PhotoIndex, before: dict[str, State]) -> None:
        """A reader's state is no older than its refresh's start and no newer than now."""
        seen = states(found)
        for name in {*seen, *before}:
            if name not in seen:
                assert before[name][1] == Kind.TOMBSTONE, f"{name} is missing"
                continue
            assert seen[name] <= self.truth[name], f"{name}: nobody wrote that"
            assert seen[name] >= before.get(name, seen[name]), f"{name} is back from the past"
        hits = index.search(vector_of("a", 1), 100)
        photos = {name: state[0] for name, state in seen.items() if state[1] == Kind.VECTOR}
        assert sorted((hit.name, hit.generation) for hit in hits) == sorted(photos.items())
        assert found.photos == len(photos)
        for name, generation in photos.items():
            # a pack holds float16
            assert np.allclose(index.vector_of(name), vector_of(name, generation), atol=1e-3)

    def teardown(self) -> None:
        try:
            self.end_of_everything()
        finally:
            for actor in self.compactions:
                actor.kill()
            for reader in self.readers:
                if reader.refreshing:
                    reader.refreshing.kill()
            self.patch.undo()

    def end_of_everything(self) -> None:
        for actor in list(self.compactions):
            self.end(actor)
        for reader in self.readers:
            self.finish_reading(reader)
        for _, entry in self.writing:
            self.write(entry)
        self.reconcile()  # undelivered events are lost
        for _ in range(3):
            self.check_fresh()
            assert compact(self.bucket, SPACE, time.monotonic() + 3600, self.bucket.now).finished
            self.bucket.later(run.GRACE)
        self.check_fresh()
        newest, prefix = newest_commit(self.bucket, SPACE), segments_prefix(SPACE)
        assert {f"{prefix}{name}" for name in newest.segments} == set(self.bucket.names(prefix))
        assert set(newest.packs.values()) == set(self.bucket.names(f"{SPACE}/packs/"))

    def check_fresh(self) -> None:
        for most_rows in MOST_ROWS:
            found = SnapshotReader(self.bucket, SPACE, most_rows=most_rows).refresh()
            index = PhotoIndex()
            index.update(found)
            self.check(found, index, self.truth)
        photos = {n: s for n, s in states(found).items() if s[1] == Kind.VECTOR}
        assert {name: state[0] for name, state in photos.items()} == self.photos
        assert all(has_facts for _, _, has_facts, _ in photos.values())


def refresh(reader: Reader, bucket: Any) -> Snapshot:
    if reader.stepped is None:
        reader.stepped = SnapshotReader(bucket, SPACE, most_rows=reader.most_rows)
    reader.stepped._bucket = reader.stepped._watch._bucket = bucket  # this refresh's steps
    return reader.stepped.refresh()


def states(found: Snapshot) -> dict[str, State]:
    entries = found.entries
    result = {
        entries.name(row): (
            int(entries.generations[row]),
            int(entries.kinds[row]),
            bool(entries.facts["flags"][row]),
            int(entries.times[row]),
        )
        for row in range(len(entries))
    }
    for row, facts in enumerate(entries.facts):
        right = facts_of(entries.name(row), int(entries.generations[row]))
        assert facts_of_row(facts) in (None, right)
    assert len(result) == len(entries), "a photo is there twice"
    return result


TestIndex = Index.TestCase
TestIndex.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "30")), stateful_step_count=50, deadline=None
)

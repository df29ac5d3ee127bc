"""Filters, order, facets and pages in random libraries, compared with plain Python.

Photos are added, changed and deleted, and get facts later. Between searches, the index is merged
and packed, and searches start afresh.
"""

from __future__ import annotations

import random
import time
from functools import partial

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from clipsearch.index.compaction import build_packs, compact, merge, run
from clipsearch.index.compaction.build_packs import pack
from clipsearch.index.format.facts import Facts
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search import quantized_shard, state
from clipsearch.index.search.combination import Combination
from clipsearch.index.search.filter import Filter
from clipsearch.index.search.hits import Hit, Listed
from clipsearch.index.search.photo_index import PhotoIndex
from tests.index.making import SPACE, Vector, tombstone
from tests.index.search.filtered import (
    UPLOADED,
    Photo,
    facets,
    random_facts,
    random_photos,
    some_filters,
    vectors,
)
from tests.support.memory import MemoryBucket

BEST = 3


class Selection(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(merge, "FANOUT", 2)
        self.patch.setattr(build_packs, "pack", partial(pack, exact_limit=4, worth_packing=3))
        self.patch.setattr(build_packs, "direction_in", lambda bucket, space: None)
        self.patch.setattr(run, "REQUESTS", 1)
        self.patch.setattr(state, "COPIED", 4)
        self.patch.setattr(quantized_shard, "FIRST_ABOVE", 2)
        self.patch.setattr("clipsearch.index.search.photo_index.BEST", BEST)
        self.bucket = MemoryBucket()
        self.photos: dict[str, Photo] = {}
        self.events = 0
        self.start()

    @rule()
    def start(self) -> None:
        self.reader, self.index = SnapshotReader(self.bucket, SPACE), PhotoIndex(1)
        self.refresh()

    def refresh(self) -> None:
        self.index.update(self.reader.refresh())

    def event(self) -> int:
        """A new generation or time, in µs; some uploads are at the same second."""
        self.events += 1
        return UPLOADED * 1_000_000 + self.events * 300_000

    @initialize(seed=st.integers(0, 2**32), is_packed=st.booleans())
    def begin(self, seed: int, is_packed: bool) -> None:
        """A library in which most filters find some photos, but not all."""
        self.upload(seed, 60)
        if is_packed:
            self.start_with_packs()

    @rule(seed=st.integers(0, 2**32), count=st.integers(1, 12))
    def upload(self, seed: int, count: int) -> None:
        chance = random.Random(seed)
        photos = {photo.name: photo for photo in random_photos(chance, count, self.event)}
        self.photos |= photos
        write_segment(self.bucket, SPACE, [photo.entry() for photo in photos.values()])
        self.refresh()

    @rule(data=st.data())
    def look_again(self, data: st.DataObject) -> None:
        """Facts of a photo that had none."""
        bare = sorted(name for name, photo in self.photos.items() if photo.facts == Facts())
        if bare:
            old = self.photos[data.draw(st.sampled_from(bare))]
            facts = random_facts(random.Random(data.draw(st.integers(0, 99))))
            new = Photo(old.name, old.generation, old.size, facts, old.vector)
            self.photos[old.name] = new
            write_segment(self.bucket, SPACE, [new.entry(time_us=self.event())])
            self.refresh()

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if self.photos:
            name = data.draw(st.sampled_from(sorted(self.photos)))
            write_segment(self.bucket, SPACE, [tombstone(name, self.photos.pop(name).generation)])
            self.refresh()

    @rule()
    def compact(self) -> None:
        compact(self.bucket, SPACE, time.monotonic() + 60, self.bucket.now)
        self.refresh()

    @rule()
    def start_with_packs(self) -> None:
        """A running search keeps the vectors that it has."""
        self.compact()
        self.start()

    @rule(filter=some_filters(), query=vectors, limit=st.integers(1, 9))
    def search(self, filter: Filter, query: Vector, limit: int) -> None:
        found: list[Hit] = []
        after = None
        while page := self.index.search(query, limit, after, filter):
            assert len(page) <= limit
            found += page
            assert len(found) <= len(self.photos)
            after = page[-1].score, page[-1].name
        assert [(hit.score, hit.name) for hit in found] == self.ranked(filter, query)
        for hit in found:
            self.check_fields(hit)

    def ranked(self, filter: Filter, query: Vector) -> list[tuple[float, str]]:
        photos = [photo for photo in self.photos.values() if photo.fits(filter)]
        scored = [(float(photo.vector @ query), photo.name) for photo in photos]
        return sorted(scored, key=lambda one: (-one[0], one[1]))

    def check_fields(self, hit: Hit | Listed) -> None:
        photo = self.photos[hit.name]
        assert (hit.generation, hit.width, hit.height) == (photo.generation, *photo.size)
        assert (hit.date, hit.uploaded) == (photo.date, photo.generation // 1_000_000)
        assert (hit.facts or Facts()) == photo.facts

    @rule(filter=some_filters(), wanted=vectors, unwanted=vectors, limit=st.integers(1, 9))
    def search_terms(self, filter: Filter, wanted: Vector, unwanted: Vector, limit: int) -> None:
        terms = np.stack([wanted, unwanted])
        query = self.index.combination(terms, (1.0, -0.5))
        found: list[tuple[float, str]] = []
        while page := self.index.search(query, limit, found[-1] if found else None, filter):
            found += [(hit.score, hit.name) for hit in page]
            assert len(found) <= len(self.photos)
        right = {}
        for photo in self.photos.values():
            if photo.fits(filter):
                products = [float(photo.vector @ term) for term in terms]
                units = [(p - m) / s for p, (m, s) in zip(products, query.balances, strict=True)]
                right[photo.name] = (units[0] - 0.5 * max(0, units[1])) / 1.5
        assert sorted(name for _, name in found) == sorted(right)
        assert found == sorted(found, key=lambda one: (-one[0], one[1]))
        assert [query.value(score) for score, _ in found] == pytest.approx(
            [right[name] for _, name in found], abs=2e-3, rel=1e-4
        )
        if found:
            self.check_matching(query, found, found[len(found) // 2][0], filter)

    def check_matching(
        self, query: Combination, found: list[tuple[float, str]], least: float, filter: Filter
    ) -> None:
        """Scores of one photo may differ in the last digit."""
        matching = {hit.name for hit in self.index.matching(query, least, filter).by_date(9999)}
        assert matching >= {name for score, name in found if score > least + 1e-5}
        assert matching <= {name for score, name in found if score > least - 1e-5}

    @rule(filter=some_filters(), limit=st.integers(1, 9), oldest=st.booleans())
    def newest(self, filter: Filter, limit: int, oldest: bool) -> None:
        found: list[Listed] = []
        after = None
        while page := self.index.newest(limit, after, filter, oldest):
            assert len(page) <= limit
            found += page
            assert len(found) <= len(self.photos)
            after = page[-1].date, page[-1].name
        fits = [photo for photo in self.photos.values() if photo.fits(filter)]
        assert [hit.name for hit in found] == by_date(fits, oldest)
        for hit in found:
            assert hit.score is None
            self.check_fields(hit)

    @rule(filter=some_filters())
    def count(self, filter: Filter) -> None:
        assert self.index.facets(filter) == facets(self.photos.values(), filter)

    @rule(
        filter=some_filters(),
        query=vectors,
        least=st.none() | st.sampled_from([-0.25, 0.0, 0.25, 1.0]),
        limit=st.integers(1, 9),
        oldest=st.booleans(),
    )
    def match(
        self, filter: Filter, query: Vector, least: float | None, limit: int, oldest: bool
    ) -> None:
        found = self.index.matching(query, least, filter)
        ranked = self.ranked(filter, query)
        right = ranked[:BEST] if least is None else [one for one in ranked if one[0] >= least]
        assert sorted(found.scores) == sorted(score for score, _ in right)
        dated: list[Hit] = []
        while page := found.by_date(
            limit, (dated[-1].date, dated[-1].name) if dated else None, oldest
        ):
            dated += page
            assert len(dated) <= len(self.photos)
        assert [hit.name for hit in dated] == by_date([self.photos[n] for _, n in right], oldest)
        loosest = self.index.matching(query, least, filter.loosest)
        match = [self.photos[hit.name] for hit in loosest.by_date(9999)]
        assert loosest.facets(filter) == facets(match, filter)

    def teardown(self) -> None:
        self.patch.undo()


def by_date(photos: list[Photo], oldest: bool) -> list[str]:
    sign = 1 if oldest else -1
    return [p.name for p in sorted(photos, key=lambda p: (sign * p.date, p.name))]


TestSelection = Selection.TestCase
TestSelection.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)

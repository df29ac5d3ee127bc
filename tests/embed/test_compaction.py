"""Merged and packed in pieces, an index is the same, and as quick to read as after `ingest`."""

import numpy as np

from benchmarks.same_index import differences, states
from cli.embed import compaction
from clipsearch.index.compaction import build_packs
from clipsearch.index.compaction.merge import FANOUT
from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.segments import write_segment
from tests.index.making import photo as entry
from tests.index.making import random_units

DIMENSION = 64


def fill(place, segments, size=40):
    vectors = random_units(segments * size, DIMENSION, seed=3)
    for number in range(segments):
        rows = range(number * size, (number + 1) * size)
        write_segment(place.index, place.job.space, [entry(f"{i}", 1, vectors[i]) for i in rows])


def merge_all(place):
    index, space = place.index, place.job.space
    groups = compaction.groups(index, space)
    return [compaction.merge_group(index, space, names) for names in groups]


def test_loose_segments_become_few(place):
    fill(place, FANOUT + 2)
    before = states(place.index, place.job.space)
    assert sum(merge_all(place)) == len(before) == 40 * (FANOUT + 2)
    commit = newest_commit(place.index, place.job.space)
    assert len(commit.segments) == 1
    assert list(differences(before, states(place.index, place.job.space))) == []
    assert merge_all(place) == []


def test_a_merge_that_runs_twice_changes_nothing(place):
    fill(place, FANOUT)
    index, space = place.index, place.job.space
    [names] = compaction.groups(index, space)
    assert compaction.merge_group(index, space, names) == 40 * FANOUT
    assert compaction.merge_group(index, space, names) == 0
    assert newest_commit(index, space).number == 1


def test_segments_are_packed_one_by_one(place, monkeypatch):
    monkeypatch.setattr(compaction, "to_pack", _for_small(build_packs.to_pack))
    shared = np.ones(DIMENSION, np.float32) / np.sqrt(DIMENSION)
    monkeypatch.setattr(compaction, "direction_in", lambda index, space: shared)
    index, space = place.index, place.job.space
    fill(place, 2 * FANOUT)
    merge_all(place)
    todo = compaction.packs_to_make(index, space)
    assert {name for name, _ in todo} == set(newest_commit(index, space).segments)
    made = [compaction.make_pack(index, space, *one) for one in todo]
    packed = [one for one in made if one]
    assert compaction.publish_packs(index, space, packed) == len(todo) > 0
    commit = newest_commit(index, space)
    assert commit.packs.keys() == set(commit.segments)
    assert {path for _, path in todo} == {commit.quantizer}
    assert compaction.packs_to_make(index, space) == []


def test_a_small_index_gets_no_packs(place):
    fill(place, FANOUT)
    merge_all(place)
    assert compaction.packs_to_make(place.index, place.job.space) == []
    assert compaction.publish_packs(place.index, place.job.space, []) == 0


def _for_small(to_pack):
    return lambda *given: to_pack(*given, exact_limit=100, worth_packing=20)

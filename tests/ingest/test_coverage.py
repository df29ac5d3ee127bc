"""The records of reconciles: written once, in parts, and read when they are whole."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsearch.errors import DamagedObject
from clipsearch.index.format.entries import key_of
from clipsearch.index.format.generations import BITS, MAX_GENERATION, overruling, stands_for
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reconcile_log import (
    CoverageReader,
    Part,
    Pending,
    delete_old_runs,
    new_run,
    read_part,
    write_part,
)
from clipsearch.storage import open_bucket
from tests.index.making import failure, photo, tombstone

SPACE = "0123456789ab"


@pytest.fixture
def index(tmp_path):
    return open_bucket(tmp_path.as_uri())


def pending(*photos):
    keys = np.array([key_of(name) for name, _ in photos], np.uint64).reshape(-1, 2)
    generations = np.array([generation for _, generation in photos], np.int64)
    return Pending(keys, generations, np.full(len(photos), 5))


def part(objects, end="", *photos):
    return Part(objects, 0, 0, 0, 10, 20, end, pending(*photos))


def test_a_run_counts_when_its_last_part_is_there(index):
    reader = CoverageReader(index, SPACE)
    assert reader.newest() is None
    run = new_run()
    write_part(index, SPACE, run, 0, part(3, "c.jpg", ("a.jpg", 1)))
    assert reader.newest() is None
    write_part(index, SPACE, run, 2, part(1))
    assert reader.newest() is None
    write_part(index, SPACE, run, 1, part(2, "f.jpg", ("e.jpg", 1), ("f.jpg", 1)))
    coverage = reader.newest()
    assert coverage.objects == 6
    assert len(coverage.pending.keys) == 3


def test_a_reader_sees_the_newer_run_and_keeps_the_older_while_that_goes_on(index):
    reader = CoverageReader(index, SPACE)
    write_part(index, SPACE, new_run(), 0, part(1))
    assert reader.newest().objects == 1
    assert reader.newest() is reader.newest()
    newer = new_run()
    write_part(index, SPACE, newer, 0, part(2, "b.jpg"))
    assert reader.newest().objects == 1
    write_part(index, SPACE, newer, 1, part(3))
    assert reader.newest().objects == 5


def test_damage_counts_when_every_part_had_to_do_without_it(index):
    run, parts = new_run(), [("a.jpg", "ab"), ("b.jpg", "abc"), ("", "bc")]
    for number, (end, damaged) in enumerate(parts):
        write_part(index, SPACE, run, number, replace(part(1, end), damaged=tuple(damaged)))
    assert CoverageReader(index, SPACE).newest().damaged == {"b"}


def test_the_first_of_two_that_write_a_part_counts(index):
    run = new_run()
    first = write_part(index, SPACE, run, 0, part(1, "a.jpg"))
    assert write_part(index, SPACE, run, 0, part(7, "b.jpg")).end == first.end == "a.jpg"
    assert read_part(index, SPACE, run, 0).objects == 1


def test_old_runs_go_and_those_that_may_go_on_stay(index):
    old = ["0000000000000001-0123456789ab", new_run(), new_run()]
    going_on = new_run()
    newest = [new_run(), new_run()]
    for run in [*old, *newest]:
        write_part(index, SPACE, run, 0, part(1, "a.jpg" if run == old[0] else ""))
    write_part(index, SPACE, going_on, 0, part(1, "a.jpg"))
    index.create(f"{SPACE}/reconciles/{old[1]}/0001.npz", b"damaged")
    delete_old_runs(index, SPACE)
    left = {stat.name.split("/")[2] for stat in index.list(f"{SPACE}/reconciles/")}
    assert left == set(newest)

    later = new_run()  # begun after the newest complete one
    write_part(index, SPACE, later, 0, part(1, "a.jpg"))
    delete_old_runs(index, SPACE)
    left = {stat.name.split("/")[2] for stat in index.list(f"{SPACE}/reconciles/")}
    assert left == {*newest, later}


def test_a_record_with_a_name_from_the_future_hides_no_later_one(index):
    """Written by somebody whose clock is wrong by centuries, or by days."""
    ahead = f"{int(new_run()[:16], 16) + 5 * 86_400_000_000:016x}-0123456789ab"
    for wrong in ("ffffffffffffffff-0123456789ab", ahead):
        write_part(index, SPACE, wrong, 0, part(1))
    reader = CoverageReader(index, SPACE)
    assert reader.newest() is not None
    runs = []
    for _ in range(3):
        runs.append(new_run())
        write_part(index, SPACE, runs[-1], 0, part(1))
        found = reader.newest()
        assert found is not None
        assert found.run == runs[-1]
        assert CoverageReader(index, SPACE).newest().run == runs[-1]
    delete_old_runs(index, SPACE)
    left = {stat.name.split("/")[2] for stat in index.list(f"{SPACE}/reconciles/")}
    assert left == set(runs[-2:])


def test_a_record_of_a_folder_whose_clock_was_ahead_hides_no_later_one(index):
    """The clock is put right later: the file's own time, too, is in the future."""
    ahead = time.time() + 5 * 86_400
    wrong = f"{int(ahead * 1e6):016x}-0123456789ab"
    write_part(index, SPACE, wrong, 0, part(1))
    os.utime(index.root / SPACE / "reconciles" / wrong / "0000.npz", (ahead, ahead))
    reader = CoverageReader(index, SPACE)
    assert reader.newest().run == wrong  # there is no other
    runs = []
    for _ in range(2):
        runs.append(new_run())
        write_part(index, SPACE, runs[-1], 0, part(1))
        assert reader.newest().run == CoverageReader(index, SPACE).newest().run == runs[-1]
    delete_old_runs(index, SPACE)
    left = {stat.name.split("/")[2] for stat in index.list(f"{SPACE}/reconciles/")}
    assert left == set(runs)


def test_pending_is_what_the_index_does_not_know_yet(index):
    write_segment(
        index,
        SPACE,
        [photo("old", 1), photo("same", 2), photo("new", 3), failure("bad", 2), tombstone("x", 2)],
    )
    catalogue = SnapshotReader(index, SPACE).refresh().catalogue
    photos = [(name, 2) for name in ("old", "same", "new", "bad", "x", "unknown")]
    assert pending(*photos).still(catalogue).keys.tolist() == [
        list(key_of("old")),
        list(key_of("unknown")),
    ]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut", b"x" * 100])
def test_a_damaged_record_is_named(index, data):
    run = new_run()
    path = f"{SPACE}/reconciles/{run}/0000.npz"
    index.create(path, data)
    with pytest.raises(DamagedObject, match=path):
        read_part(index, SPACE, run, 0)


def test_a_record_of_another_space_is_damaged(index):
    run = new_run()
    write_part(index, SPACE, run, 0, part(1))
    data = index.read(f"{SPACE}/reconciles/{run}/0000.npz")
    index.create(f"{'f' * 12}/reconciles/{run}/0000.npz", data)
    with pytest.raises(DamagedObject, match="instead of"):
        read_part(index, "f" * 12, run, 0)


generations = st.integers(0, MAX_GENERATION)


@given(both=st.tuples(generations, generations))
def test_what_overrules_is_a_little_greater_and_recognised(both):
    generation, known = sorted(both)
    at = overruling(known, generation)
    assert known < at <= known + (1 << BITS)
    assert stands_for(at, generation)
    assert at < 2**63
    again = overruling(at, generation)
    assert again == at + (1 << BITS)
    assert stands_for(again, generation)


@given(generation=st.integers(1, MAX_GENERATION))
def test_nothing_stands_for_something_later(generation):
    assert stands_for(generation, generation)
    assert not stands_for(generation - 1, generation)
    assert not stands_for(overruling(generation, 0), generation * 2 + 1)

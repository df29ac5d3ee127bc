"""Copies of a library that changes meanwhile, that are killed, and that are repeated."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from cli.copy_index.copying import copy_index
from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.entries import Kind
from tests.copy_index.conftest import Library, answers, photos, states
from tests.support.actors import Actor, Killed
from tests.support.buckets import HookedBucket
from tests.support.memory import MemoryBucket


@pytest.mark.parametrize("seed", range(12))
def test_a_copy_is_the_library_at_some_time_of_the_copy(
    library: Library, target: MemoryBucket, seed: int
) -> None:
    chance = random.Random(seed)
    before = {name: len(past) for name, past in library.history.items()}
    actor = Actor(library.bucket, lambda bucket: copy_index(bucket, target))
    while not actor.step(chance.randint(1, 8)):
        library.act(chance)
    assert actor.finish() == 0
    found = states(target, library.space)
    for name, past in library.history.items():
        first = before.get(name, 0)
        possible = past[max(first - 1, 0) :]
        if name in found:
            assert found[name] in possible
        else:  # not uploaded yet, or its tombstone was dropped
            assert first == 0 or any(kind == Kind.TOMBSTONE for _, kind in possible)
    # the next run brings the rest
    assert copy_index(library.bucket, target) == 0
    assert photos(target, library.space) == library.photos()
    assert answers(target, library.space) == answers(library.bucket, library.space)
    copied = Library(target, library.space)
    target.now = library.bucket.now
    copied.forget()
    assert copied.photos() == library.photos(), "compaction of the copy changed it"


@pytest.mark.parametrize("seed", range(6))
def test_a_killed_copy_continues(library: Library, target: MemoryBucket, seed: int) -> None:
    chance = random.Random(seed)
    rounds = 0
    while True:
        left = chance.randint(1, 40) if rounds < 12 else 10_000

        def count(method: str, name: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        hooks = {"before": count} if chance.random() < 0.5 else {"after": count}
        try:
            copy_index(HookedBucket(library.bucket, **hooks), HookedBucket(target, **hooks))
        except Killed:
            rounds += 1
            library.act(chance)
            continue
        break
    assert rounds
    assert copy_index(library.bucket, target) == 0
    assert photos(target, library.space) == library.photos()
    assert answers(target, library.space) == answers(library.bucket, library.space)


def test_there_is_no_current_model_before_all_is_there(
    library: Library, target: MemoryBucket
) -> None:
    order: list[str] = []

    def note(method: str, name: str) -> None:
        if method == "create":
            order.append(name)

    assert copy_index(library.bucket, HookedBucket(target, note)) == 0
    assert [name for name in order if name.startswith("models/current/")] == order[-1:]
    commit = order.index(newest_commit_name(target, library.space))
    assert all("/segments/" not in name for name in order[commit:])
    assert order[0].startswith("copies/")


def newest_commit_name(bucket: MemoryBucket, space: str) -> str:
    return f"{space}/commits/{newest_commit(bucket, space).number:012d}.json"


def test_a_deleted_photo_stays_deleted_in_a_later_copy(
    library: Library, target: MemoryBucket
) -> None:
    """The source drops the photo and its tombstone; the copy still has the photo's segment."""
    library.upload("old")
    assert copy_index(library.bucket, target) == 0
    assert "old" in photos(target, library.space)
    library.delete("old")
    library.forget()
    assert "old" not in library.states(), "the tombstone is gone too"
    assert copy_index(library.bucket, target) == 0
    assert "old" not in photos(target, library.space)
    target.now = library.bucket.now + timedelta(days=1)
    Library(target, library.space).forget()
    assert photos(target, library.space) == library.photos()


def test_a_copy_of_nothing_new_writes_nothing(library: Library, target: MemoryBucket) -> None:
    assert copy_index(library.bucket, target) == 0
    before = dict(target.objects)
    assert copy_index(library.bucket, target) == 0
    assert target.objects == before
    library.upload("k")
    assert copy_index(library.bucket, target) == 0
    assert len(target.objects) == len(before) + 2  # the segment, and the record that names it


def test_a_segment_that_is_merged_and_deleted_meanwhile_is_no_error(
    library: Library, target: MemoryBucket
) -> None:
    """The first look is out of date before its last segment is read."""
    is_first = True
    newest = library.bucket.names(f"{library.space}/segments/")[-1]

    def forget(method: str, name: str) -> None:
        nonlocal is_first
        if method == "read" and name == newest and is_first:
            is_first = False
            library.upload("new")
            library.forget()
            assert newest not in library.bucket.objects

    assert copy_index(HookedBucket(library.bucket, forget), target) == 0
    assert not is_first
    assert photos(target, library.space) == library.photos()

"""This version and an older one, on one index: neither loses or revives a photo."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from clipsearch.index.format.entries import Kind
from tests.index.making import random_units
from tests.upgrade.conftest import Instance

NOW_US = time.time_ns() // 1000  # a purge rightly drops a tombstone of 1970

State = tuple[int, int]  # generation and kind


def photo(name: str, generation: int = 1, size: int | None = None) -> dict[str, Any]:
    seed = sum(name.encode()) * 100 + generation
    vector = random_units(1, 4, seed)[0].tolist()
    entry = {"name": name, "generation": generation, "kind": Kind.VECTOR, "vector": vector}
    return entry | at(generation) | ({} if size is None else {"size": size})


def tombstone(name: str, generation: int) -> dict[str, Any]:
    return {"name": name, "generation": generation, "kind": Kind.TOMBSTONE} | at(generation)


def failure(name: str, generation: int) -> dict[str, Any]:
    entry = {"name": name, "generation": generation, "kind": Kind.FAILURE, "reason": "broken"}
    return entry | at(generation)


def at(generation: int) -> dict[str, int]:
    return {"time_us": NOW_US + generation}


def sizes(answer: dict[str, Any]) -> dict[str, int]:
    """The fact that the tests write, by photo: 0 if it is unknown."""
    return {name: photo[3] for name, photo in answer["photos"].items()}


def test_the_old_version_reads_what_the_new_one_writes(
    instances: tuple[Instance, Instance],
) -> None:
    old, new = instances
    new.does("write", entries=[photo("a", size=7), photo("b"), failure("c", 1)])
    assert old.does("read")["photos"] == {
        "a": [1, Kind.VECTOR, None, None],
        "b": [1, Kind.VECTOR, None, None],
        "c": [1, Kind.FAILURE, "broken", None],
    }
    assert old.does("read")["hits"] == new.does("read")["hits"]


def test_the_new_version_reads_what_the_old_one_writes(
    instances: tuple[Instance, Instance],
) -> None:
    old, new = instances
    old.does("write", entries=[photo("a"), failure("c", 1)])
    assert sizes(new.does("read")) == {"a": 0, "c": 0}
    assert old.does("read")["hits"] == new.does("read")["hits"]


def test_facts_that_an_old_merge_dropped_can_be_filled_in_again(
    instances: tuple[Instance, Instance],
) -> None:
    old, new = instances
    new.does("write", entries=[photo("a", size=7)])
    new.does("write", entries=[photo("b", size=8)])
    new.does("compact", days=0)
    new.does("write", entries=[photo("c", size=9)])
    assert sizes(new.does("read")) == {"a": 7, "b": 8, "c": 9}
    for _ in range(3):
        old.does("compact", days=1)
    fresh = {"photos": {}, **new.does("read")}
    assert set(fresh["photos"]) == {"a", "b", "c"}
    new.does("write", entries=[photo("a", size=7)])
    new.does("compact", days=1)
    assert sizes(new.does("read"))["a"] == 7
    assert [hit[0] for hit in old.does("read")["hits"]] == [
        hit[0] for hit in new.does("read")["hits"]
    ]


@pytest.mark.parametrize("seed", range(3))
def test_mixed_instances_agree_on_every_photo(
    instances: tuple[Instance, Instance], seed: int
) -> None:
    _, new = instances
    chance = random.Random(seed)
    truth: dict[str, State] = {}
    for step in range(40):
        instance = chance.choice(instances)
        if chance.random() < 0.25:
            assert instance.does("compact", days=chance.choice([0, 1])) == []
            continue
        entries = []
        for _ in range(chance.randint(1, 3)):
            name, generation = chance.choice("abcdef"), chance.randint(1, step + 1)
            size = chance.choice([None, 5]) if instance is new else None
            kinds = [photo(name, generation, size)] * 3
            entry = chance.choice([*kinds, tombstone(name, generation), failure(name, generation)])
            entries.append(entry)
            state = generation, int(entry["kind"])
            truth[name] = max(truth.get(name, state), state)
        instance.does("write", entries=entries)
    for instance in (*instances, *chance.sample(instances, 2)):
        instance.does("compact", days=1)
        answers = [i.does("read", is_cold=is_cold) for i in instances for is_cold in (False, True)]
        for answer in answers:
            found = {name: (state[0], state[1]) for name, state in answer["photos"].items()}
            assert (found, answer["damaged"]) == (truth, [])
            assert answer["hits"] == answers[0]["hits"]

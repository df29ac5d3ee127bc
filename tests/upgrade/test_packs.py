"""Packs of one version, searched by the other: equal answers, and no slower way to them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.upgrade.conftest import Instance
from tests.upgrade.test_mixed_versions import tombstone

WHO = {"old": 0, "new": 1}
COUNT = 600


def make(instance: Instance, seed: int) -> None:
    """Two segments of photos become one with a pack."""
    instance.does("write_many", begin=0, end=COUNT // 2, seed=seed)
    instance.does("write_many", begin=COUNT // 2, end=COUNT, seed=seed + 1)
    assert instance.does("pack", days=1, count=100) == []


def assert_equal_hits(one: list[Any], other: list[Any]) -> None:
    for left, right in zip(one, other, strict=True):
        # the order of scores that differ by less than a float16 is free
        assert {(n, g): pytest.approx(s, abs=2e-4) for n, g, s in left} == {
            (n, g): s for n, g, s in right
        }


@pytest.mark.parametrize("writer", WHO)
@pytest.mark.parametrize("reader", WHO)
def test_a_pack_is_searched_by_both(
    instances: tuple[Instance, Instance], writer: str, reader: str
) -> None:
    make(instances[WHO[writer]], 3)
    own = instances[WHO[writer]].does("search_many", seed=7)
    found = instances[WHO[reader]].does("search_many", seed=7)
    assert (found["photos"], found["damaged"]) == (COUNT, [])
    assert_equal_hits(found["hits"], own["hits"])
    # A fallback to segments doubles memory and time; a float32 shard is searched exactly.
    assert found["coded"] == own["coded"] == 1
    assert "segments" not in found["requests"], found["requests"]
    assert found["requests"] == own["requests"]


@pytest.mark.parametrize("writer", WHO)
def test_packs_of_both_versions_live_together(
    instances: tuple[Instance, Instance], writer: str
) -> None:
    """One version packs, the other adds photos and packs again: neither discards the other's."""
    one, other = instances[WHO[writer]], instances[1 - WHO[writer]]
    make(one, 3)
    other.does("write_many", begin=COUNT, end=COUNT + 300, seed=5)
    other.does("write_many", begin=COUNT + 300, end=COUNT + 600, seed=6)
    assert other.does("pack", days=2, count=100) == []
    answers = [instance.does("search_many", seed=9) for instance in (one, other)]
    for answer in answers:
        assert (answer["photos"], answer["damaged"]) == (COUNT + 600, [])
        assert answer["coded"] >= 1
        assert "segments" not in answer["requests"], answer["requests"]
    assert_equal_hits(answers[0]["hits"], answers[1]["hits"])
    # and later packs are kept as they are, so nothing is written for ever
    assert other.does("pack", days=3, count=100) == []
    assert one.does("pack", days=3, count=100) == []
    again = one.does("search_many", seed=9)
    assert_equal_hits(again["hits"], answers[0]["hits"])


def test_a_pack_of_one_version_loses_a_photo_that_the_other_deletes(
    instances: tuple[Instance, Instance],
) -> None:
    old, new = instances
    make(new, 3)
    first = new.does("search_many", seed=7)["hits"][0][0][0]
    old.does("write", entries=[tombstone(first, 1)])
    for instance in instances:
        found = instance.does("search_many", seed=7)
        assert found["photos"] == COUNT - 1
        assert first not in {name for hits in found["hits"] for name, _, _ in hits}

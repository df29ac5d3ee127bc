"""What searches and lists return: a photo with its score and facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.facts import Facts, Known, dates_of, facts_of_row, no_facts
from clipsearch.index.search.stacks import stacked
from clipsearch.index.search.state import State

Score = TypeVar("Score", float, None)


@dataclass(eq=False)
class Found(Generic[Score]):
    """A photo, as a row of one state of the index. The rest is read on use: most are not shown.

    `score`: the cosine or that of a Combination, rounded to 6 digits. `date`: seconds since 1970,
    when taken by the photographer's clock, else when uploaded; lists are in this order.
    `uploaded`: seconds since 1970, None if unknown.
    """

    state: State
    row: int
    score: Score
    generation: int
    width: int
    height: int
    date: int
    uploaded: int | None

    @cached_property
    def name(self) -> str:
        return self.state.columns.names.text(self.row)

    @cached_property
    def facts(self) -> Facts | None:
        """None if the file was never searched for facts."""
        return facts_of_row(self.state.columns.entries.facts[self.row])


Hit: TypeAlias = Found[float]
Listed: TypeAlias = Found[None]


def found(state: State, rows: npt.NDArray[np.int64], scores: Iterable[Score]) -> list[Found[Score]]:
    """One for each of `rows` (m,), in order, with its score."""
    entries = state.columns.entries
    generations, times, facts = entries.generations[rows], entries.times[rows], entries.facts[rows]
    values: zip[Any] = zip(
        [state] * len(rows),
        rows.tolist(),
        scores,
        generations.tolist(),
        entries.widths[rows].tolist(),
        entries.heights[rows].tolist(),
        dates_of(facts, generations, times).tolist(),
        (u or None for u in dates_of(no_facts(len(rows)), generations, times).tolist()),
        strict=True,
    )
    return [Found(*each) for each in values]


def leaders(hits: Sequence[Found[Any]]) -> list[int]:
    """For photos by rank: the rank of the leader of each (see stacks)."""
    groups: dict[int, list[int]] = {}  # ranks of the photos of each state
    for rank, hit in enumerate(hits):
        groups.setdefault(id(hit.state), []).append(rank)
    parts = [(hits[ranks[0]].state, np.array(ranks)) for ranks in groups.values()]
    rows = np.array([hit.row for hit in hits], np.int64)
    facts = no_facts(len(hits))
    for state, ranks in parts:
        facts[ranks] = state.columns.entries.facts[rows[ranks]]

    def vectors_of(asked: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        found = [(np.flatnonzero(np.isin(asked, ranks)), state) for state, ranks in parts]
        vectors = [state.vectors_of(rows[asked[places]]) for places, state in found if len(places)]
        order = np.concatenate([places for places, _ in found])
        return np.concatenate(vectors)[np.argsort(order)]

    has_hash = facts["flags"] & np.uint8(Known.LOOK) > 0
    result: list[int] = stacked(vectors_of, facts["hash"], has_hash).tolist()
    return result

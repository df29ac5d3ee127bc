"""What searches and lists return: a photo with its score and facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.facts import Facts, Known, facts_of_row, uploaded_at
from clipsearch.index.search.stacks import stacked
from clipsearch.index.search.state import State

Score = TypeVar("Score", float, None)


@dataclass(eq=False)
class Found(Generic[Score]):
    """A photo, as a row of one state of the index. The rest is read on use: most are not shown.

    `score`: the cosine or that of a Combination, rounded to 6 digits.
    """

    state: State
    row: int
    score: Score

    @cached_property
    def name(self) -> str:
        return self.state.columns.names.text(self.row)

    @cached_property
    def facts(self) -> Facts | None:
        """None if the file was never searched for facts."""
        return facts_of_row(self.state.columns.entries.facts[self.row])

    @property
    def generation(self) -> int:
        return int(self.state.columns.entries.generations[self.row])

    @property
    def width(self) -> int:
        return int(self.state.columns.entries.widths[self.row])

    @property
    def height(self) -> int:
        return int(self.state.columns.entries.heights[self.row])

    @property
    def date(self) -> int:
        """Seconds since 1970, when taken by the photographer's clock, else when uploaded. Lists are
        in this order."""
        return int(self.state.columns.dates[self.row])

    @property
    def uploaded(self) -> int | None:
        """Seconds since 1970, None if unknown."""
        return uploaded_at(self.generation, int(self.state.columns.entries.times[self.row])) or None


Hit: TypeAlias = Found[float]
Listed: TypeAlias = Found[None]


def found(state: State, rows: npt.NDArray[np.int64], scores: Iterable[Score]) -> list[Found[Score]]:
    """One for each of `rows` (m,), in order, with its score."""
    return [Found(state, row, score) for row, score in zip(rows.tolist(), scores, strict=True)]


def leaders(hits: Sequence[Found[Any]]) -> list[int]:
    """For photos by rank: the rank of the leader of each (see stacks)."""
    its = [id(hit.state) for hit in hits]  # one, or two beside a mirror
    hit_of, owners = dict(zip(its, hits, strict=True)), np.array(its, np.uint64)
    parts = [(hit.state, np.flatnonzero(owners == it)) for it, hit in hit_of.items()]
    rows = np.array([hit.row for hit in hits], np.int64)
    hashes, flags = np.zeros(len(hits), np.uint64), np.zeros(len(hits), np.uint8)
    for state, ranks in parts:
        facts = state.columns.entries.facts
        hashes[ranks], flags[ranks] = facts["hash"][rows[ranks]], facts["flags"][rows[ranks]]

    def vectors_of(asked: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        found = [(np.flatnonzero(np.isin(asked, ranks)), state) for state, ranks in parts]
        vectors = [state.vectors_of(rows[asked[places]]) for places, state in found if len(places)]
        order = np.concatenate([places for places, _ in found])
        return np.concatenate(vectors)[np.argsort(order)]

    has_hash = flags & np.uint8(Known.LOOK) > 0
    result: list[int] = stacked(vectors_of, hashes, has_hash).tolist()
    return result

"""What searches and lists return: a photo with its score and facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.facts import Facts, Known, dates_of, facts_of_row, no_facts
from clipsearch.index.search.columns import Columns

Score = TypeVar("Score", float, None)


class Found(NamedTuple, Generic[Score]):
    """A photo. `score`: the cosine or that of a Combination, rounded to 6 digits.

    `date`: seconds since 1970, when taken by the photographer's clock, else when uploaded; lists
    are in this order. `uploaded`: seconds since 1970, None if unknown.
    """

    name: str
    score: Score
    generation: int
    width: int
    height: int
    date: int = 0
    uploaded: int | None = None
    row: Any = None  # of FACTS; None without facts

    @property
    def facts(self) -> Facts | None:
        """None if the file was never searched for facts. Made on use: most hits are not shown."""
        return None if self.row is None else facts_of_row(self.row)


Hit: TypeAlias = Found[float]
Listed: TypeAlias = Found[None]


def found(
    columns: Columns, rows: npt.NDArray[np.int64], scores: Iterable[Score]
) -> list[Found[Score]]:
    """One for each of `rows` (m,), in order, with its score."""
    entries = columns.entries
    generations, times, facts = entries.generations[rows], entries.times[rows], entries.facts[rows]
    has_facts = (facts["flags"] & np.uint8(Known.LOOKED) > 0).tolist()
    values: zip[Any] = zip(
        columns.names.texts(rows),
        scores,
        generations.tolist(),
        entries.widths[rows].tolist(),
        entries.heights[rows].tolist(),
        dates_of(facts, generations, times).tolist(),
        (u or None for u in dates_of(no_facts(len(rows)), generations, times).tolist()),
        (row if has else None for row, has in zip(facts, has_facts, strict=True)),
        strict=True,
    )
    return [Found(*each) for each in values]

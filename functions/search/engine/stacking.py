"""Near-duplicates as one result, over all pages of a query.

Only the first CAP photos of the query's list are compared. Each page finds them again and joins
them in the same way, so a photo is on one page only: as a result, or in the `also` of one. Behind
them every photo stands alone.

A page begins behind the leader of the last stack. On another instance a stack may have another
leader, because scores differ a little (see cursor.py): it still contains the one that was given.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, NamedTuple, Protocol, TypeVar

from search.engine.query import Query

# Photos that are compared. Measured with `make bench-stacks` (docs/benchmarks.md).
CAP = 500

Place = tuple[float, str]  # in the order of the list: a key that grows, then the name


class Named(Protocol):
    @property
    def name(self) -> str: ...


H = TypeVar("H", bound=Named)


class Result(NamedTuple, Generic[H]):
    """A photo of a page, and its near-duplicates, best first."""

    hit: H
    also: tuple[H, ...] = ()


@dataclass(frozen=True)
class Ranking(Generic[H]):
    """The list of a query.

    `first`: up to so many from its begin. `behind`: up to so many behind a place, if there is one.
    `leaders`: for hits in their order, where in them the leader of each is.
    """

    first: Callable[[int], Sequence[H]]
    behind: Callable[[int, Place | None], Sequence[H]]
    place: Callable[[H], Place]
    leaders: Callable[[Sequence[H]], Sequence[int]]


def cap_of(query: Query, most_compared: int | None) -> int:
    """How many photos to compare for this query. `most_compared`: that a search finds."""
    return min(CAP, most_compared or CAP) if query.stack else 0


@dataclass(frozen=True)
class Start:
    """Where a page begins: `after` a place of the list, if any.

    `is_given`: whether an earlier page had the photo with this name. `given`: how many of them may
    come after the place.
    """

    after: Place | None = None
    is_given: Callable[[str], bool] = lambda name: False
    given: int = 0


def results_of(
    ranking: Ranking[H], count: int, start: Start, cap: int
) -> tuple[list[Result[H]], Sequence[H]]:
    """Up to `count` results, and the first `cap` photos of the list, which were compared."""
    window = ranking.first(cap) if cap else ()
    stacks = _stacks(window, ranking.leaders(window) if window else ())
    follows = (
        Result(stack[0], tuple(stack[1:]))
        for stack in stacks
        if (start.after is None or ranking.place(stack[0]) > start.after)
        and not any(start.is_given(hit.name) for hit in stack)
    )
    found = list(islice(follows, count))  # no more names are read than these need
    if len(found) == count or len(window) < cap:
        return found, window
    ends = [start.after, ranking.place(window[-1]) if window else None]
    begin = max((place for place in ends if place is not None), default=None)
    compared = {hit.name for hit in window}  # in case the index changed just now
    alone = [
        Result(hit)
        for hit in ranking.behind(count - len(found) + start.given, begin)
        if not start.is_given(hit.name) and hit.name not in compared
    ]
    return [*found, *alone][:count], window


def _stacks(hits: Sequence[H], leaders: Sequence[int]) -> Iterator[list[H]]:
    """In the order of their leaders, each in the order of the list."""
    others: dict[int, list[H]] = {}
    for rank, leader in enumerate(leaders):
        if leader != rank:
            others.setdefault(leader, []).append(hits[rank])
    for rank, leader in enumerate(leaders):
        if leader == rank:
            yield [hits[rank], *others.get(rank, ())]

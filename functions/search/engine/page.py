"""One page of results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsearch.index.search.hits import Hit, Listed


@dataclass(frozen=True)
class Page:
    """`also`: for each hit, the names of its near-duplicates. `next_cursor`: None on the last page.

    `matches`: the field of the answer.
    """

    hits: "Sequence[Hit | Listed]"
    also: Sequence[tuple[str, ...]]
    next_cursor: str | None
    matches: dict[str, Any] | None = None

"""One page of results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsearch.index.search.hits import Hit, Listed


@dataclass(frozen=True)
class Page:
    """`also`: for each hit, its near-duplicates. `next_cursor`: None on the last page.

    `matches` and `total`: the fields of the answer. `is_incomplete`: this is the last page, because
    a search compares no more photos.
    """

    hits: "Sequence[Hit | Listed]"
    also: "Sequence[tuple[Hit | Listed, ...]]"
    next_cursor: str | None
    matches: dict[str, Any] | None = None
    total: int | None = None
    is_incomplete: bool = False

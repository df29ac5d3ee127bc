"""How many photos there are of each month, folder, format and orientation, for a menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.facts import FORMATS, Known, Orientation
from clipsearch.index.search.columns import Columns, Mask
from clipsearch.index.search.filter import Filter
from clipsearch.index.search.folders import folders_below

Value = TypeVar("Value")

MOST_FOLDERS = 100


@dataclass(frozen=True, slots=True)
class Facets:
    """Numbers of photos. Each list ignores the filter's own criterion of it.

    `photos`: that fit the filter. `months`: (year, month, photos), newest first. `folders`: one
    level below the filter's folder, with a slash at the end; at most MOST_FOLDERS. `formats`: of
    FORMATS. `orientations`. These three: most photos first. `places`: photos with a known place.
    """

    photos: int
    months: tuple[tuple[int, int, int], ...]
    folders: tuple[tuple[str, int], ...]
    formats: tuple[tuple[str, int], ...]
    orientations: tuple[tuple[Orientation, int], ...]
    places: int


def facets_of(columns: Columns, filter: Filter, mask: Callable[[Filter], Mask]) -> Facets:
    """`mask`: (n,) of the photos that count and fit a filter."""
    fits = mask(filter)
    formats = columns.entries.facts["format"][mask(filter.without("formats"))]
    orientations = columns.orientations[mask(filter.without("orientation"))]
    return Facets(
        photos=int(np.count_nonzero(fits)),
        months=_months(columns.months[mask(filter.without("after", "before"))]),
        folders=folders_below(columns.names, np.flatnonzero(fits), filter.folder, MOST_FOLDERS),
        formats=_most_first(formats, FORMATS),
        orientations=_most_first(orientations, list(Orientation)),
        places=int(np.count_nonzero(columns.known(Known.PLACE) & fits)),
    )


def _months(months: npt.NDArray[np.int32]) -> tuple[tuple[int, int, int], ...]:
    if not len(months):
        return ()
    first = int(months.min())
    counts = np.bincount(months - first)
    found = ((first + int(i), int(counts[i])) for i in np.flatnonzero(counts)[::-1])
    return tuple((1970 + month // 12, 1 + month % 12, count) for month, count in found)


def _most_first(
    numbers: npt.NDArray[np.uint8], values: Sequence[Value]
) -> tuple[tuple[Value, int], ...]:
    """How often each value occurs in `numbers` (m,): its place plus 1, or 0 for unknown."""
    counts = np.bincount(numbers, minlength=len(values) + 1)[1:].tolist()
    found = [(value, n) for value, n in zip(values, counts, strict=False) if n]
    return tuple(sorted(found, key=lambda one: -one[1]))

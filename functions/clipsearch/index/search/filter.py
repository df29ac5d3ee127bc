"""Which photos a search may find, by their facts."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from clipsearch.index.format.facts import FORMATS, Orientation


class Moment(NamedTuple):
    """Seconds since 1970, on the photographer's clock. `is_instant`: in UTC."""

    seconds: int
    is_instant: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """The photos for which all given criteria hold. An unknown fact fits no criterion.

    `photo`: the whole name. `folder`: how it begins. `name`: a part of it, in any case.
    `after` <= date < `before`. `near`: latitude, longitude and km. `formats`: of FORMATS, any of
    them.
    Raises ValueError for an unknown format or an impossible place.
    """

    photo: str = ""
    folder: str = ""
    name: str = ""
    after: Moment | None = None
    before: Moment | None = None
    near: tuple[float, float, float] | None = None
    orientation: Orientation | None = None
    formats: tuple[str, ...] = ()
    min_megapixels: float = 0.0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.formats) - set(FORMATS))
        if unknown:
            raise ValueError(f"formats are of {', '.join(FORMATS)}, not {unknown[0]!r}")
        if self.near is not None:
            latitude, longitude, km = self.near
            # NaN fails every comparison
            if not (abs(latitude) <= 90 and abs(longitude) <= 180 and 0 <= km < math.inf):
                raise ValueError(f"near is latitude, longitude and km, not {self.near!r}")

    @property
    def is_all(self) -> bool:
        return self == ALL

    def parts(self) -> list[Filter]:
        """A filter for each criterion. A photo fits this filter if it fits all of them."""
        values = ((f.name, getattr(self, f.name), f.default) for f in fields(self))
        return [
            replace(ALL, **{name: value}) for name, value, default in values if value != default
        ]

    def without(self, *criteria: str) -> Filter:
        """The filter without the criteria (names of fields)."""
        return replace(self, **{name: getattr(ALL, name) for name in criteria})

    @property
    def loosest(self) -> Filter:
        """Without the criteria that a list of Facets ignores. Lists count what passes this."""
        return self.without("after", "before", "formats", "orientation")


ALL = Filter()

"""What photos must be like to be found, in the words of the API, and without numpy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from clipsearch.index.search.filter import Filter

ORIENTATIONS = ("landscape", "portrait", "square")


class Time(NamedTuple):
    """Seconds since 1970: in UTC if `is_instant`, else on the photographer's clock."""

    seconds: int
    is_instant: bool


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """A photo must meet all that are given.

    `photo`: a name. `folder` ends with a slash. `near`: latitude, longitude, km.
    `orientation`: of ORIENTATIONS. `formats`: names in lower case, sorted.
    """

    photo: str = ""
    folder: str = ""
    name: str = ""
    after: Time | None = None
    before: Time | None = None
    near: tuple[float, float, float] | None = None
    orientation: str = ""
    formats: tuple[str, ...] = ()
    min_megapixels: float = 0.0

    def __bool__(self) -> bool:
        return self != ALL

    def filter(self) -> "Filter":
        """The same for the index. Imports numpy: call it only after the index was loaded."""
        from clipsearch.index.format.facts import FORMATS, Orientation
        from clipsearch.index.search.filter import Filter, Moment

        return Filter(
            photo=self.photo,
            folder=self.folder,
            name=self.name,
            after=None if self.after is None else Moment(*self.after),
            before=None if self.before is None else Moment(*self.before),
            near=self.near,
            orientation=Orientation[self.orientation.upper()] if self.orientation else None,
            formats=tuple(name for name in FORMATS if name.lower() in self.formats),
            min_megapixels=self.min_megapixels,
        )


ALL = Criteria()

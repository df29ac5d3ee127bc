"""A search query: its terms and its page of results."""

from dataclasses import dataclass

from search.engine.cursor import Cursor
from search.engine.picture import Picture

LIMIT_DEFAULT = 24
MAX_TERMS = 8


@dataclass(frozen=True, kw_only=True)
class Term:
    """One of: a text; `like`, the name of an indexed photo; or a picture.

    A picture is either `image`, the bytes of a file, or `picture`, its vector. A negative `weight`
    means unwanted.
    """

    text: str | None = None
    like: str | None = None
    image: bytes | None = None
    picture: Picture | None = None
    weight: float = 1.0

    @property
    def is_wanted(self) -> bool:
        return self.weight > 0


@dataclass(frozen=True, kw_only=True)
class Query:
    """1 to MAX_TERMS terms, at least one of them wanted.

    `limit` and `cursor` select the page of results. `min_match` ("good" or "maybe") leaves out
    worse matches.
    """

    terms: tuple[Term, ...]
    limit: int = LIMIT_DEFAULT
    cursor: Cursor | None = None
    min_match: str | None = None

    @property
    def texts(self) -> list[str]:
        """The wanted texts."""
        return [term.text for term in self.terms if term.text is not None and term.is_wanted]

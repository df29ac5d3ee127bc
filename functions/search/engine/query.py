"""A search query: its terms and its page of results."""

from dataclasses import dataclass, replace

from search.engine.cursor import Cursor
from search.engine.picture import Picture

LIMIT_DEFAULT = 24
MAX_TERMS = 8


@dataclass(frozen=True, kw_only=True)
class Term:
    """One of: a text; `like`, the name of an indexed photo; or a picture.

    A picture is `image`, the bytes of a file; `picture`, its vector; or `url`, from where it must
    be fetched before the search. A negative `weight` means unwanted.
    """

    text: str | None = None
    like: str | None = None
    image: bytes | None = None
    picture: Picture | None = None
    url: str | None = None
    weight: float = 1.0

    @property
    def is_wanted(self) -> bool:
        return self.weight > 0


@dataclass(frozen=True, kw_only=True)
class Query:
    """1 to MAX_TERMS terms, at least one of them wanted, at most one with a `url`.

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

    @property
    def has_image(self) -> bool:
        return any(term.image is not None for term in self.terms)

    @property
    def url(self) -> str | None:
        """The URL of the picture to fetch."""
        return next((term.url for term in self.terms if term.url is not None), None)

    def fetched(self, image: bytes) -> "Query":
        """The same query with `image` in place of the `url`."""
        terms = (t if t.url is None else replace(t, url=None, image=image) for t in self.terms)
        return replace(self, terms=tuple(terms))

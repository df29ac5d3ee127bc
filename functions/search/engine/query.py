"""A search query: its terms, its criteria and its page of results."""

from dataclasses import dataclass, replace

from search.engine.criteria import ALL, Criteria
from search.engine.cursor import Cursor
from search.engine.picture import Picture

LIMIT_DEFAULT = 24
MAX_TERMS = 8

RELEVANCE, NEWEST, OLDEST = SORTS = ("relevance", "newest", "oldest")


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
    """Up to MAX_TERMS terms, at most one with a `url`. If there are any, one of them is wanted.

    `criteria` limit what is found. `sort`: of SORTS. `stack`: whether near-duplicates are one
    result. `limit` and `cursor` select the page of results. `min_match` ("good" or "maybe")
    leaves out worse matches; it needs a term.
    """

    terms: tuple[Term, ...] = ()
    criteria: Criteria = ALL
    sort: str = RELEVANCE
    stack: bool = True
    limit: int = LIMIT_DEFAULT
    cursor: Cursor | None = None
    min_match: str | None = None

    @property
    def order(self) -> str:
        """`sort`. Without a term nothing is relevant, so the newest photos come first."""
        return NEWEST if self.sort == RELEVANCE and not self.terms else self.sort

    @property
    def texts(self) -> list[str]:
        """The wanted texts."""
        return [term.text for term in self.terms if term.text is not None and term.is_wanted]

    @property
    def likes(self) -> set[str]:
        """The indexed photos among the terms, which are no results."""
        return {term.like for term in self.terms if term.like is not None}

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

"""A search query."""

from dataclasses import dataclass

from search.engine.cursor import Cursor
from search.engine.picture import Picture

LIMIT_DEFAULT = 24


@dataclass(frozen=True, kw_only=True)
class Query:
    """Words, a picture, or both; or `like` alone, the name of an indexed photo.

    A picture is either `image`, the bytes of a file, or `picture`, its vector. `limit` and
    `cursor` select the page of results. `min_match` ("good" or "maybe") leaves out worse matches.
    """

    words: str | None = None
    image: bytes | None = None
    picture: Picture | None = None
    like: str | None = None
    limit: int = LIMIT_DEFAULT
    cursor: Cursor | None = None
    min_match: str | None = None

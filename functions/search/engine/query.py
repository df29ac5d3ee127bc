"""What can be searched for."""

from dataclasses import dataclass

from search.engine.cursor import Cursor
from search.engine.picture import Picture

LIMIT_DEFAULT = 24


@dataclass(frozen=True, kw_only=True)
class Query:
    """`words`, a picture (`image`, or the vector of one: `picture`) or both of them, or `like`;
    the rest says which part of the answer."""

    words: str | None = None
    image: bytes | None = None
    picture: Picture | None = None
    like: str | None = None
    limit: int = LIMIT_DEFAULT
    cursor: Cursor | None = None

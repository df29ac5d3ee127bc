"""Pagination cursors: the next page starts after a score and a name, for one query only.

The next page may come from another instance, where a photo may have a slightly different score:
one instance reads float32 from a segment, the other float16 from a pack. With the order alone, a
photo could be on both pages, or on neither. So the next page starts a little before the end of
the last one, and the cursor lists the photos already returned there.
"""

import base64
import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from search.engine.errors import BadQuery, quoted

_HEAD = struct.Struct(">d8sB")  # score, fingerprint, len(given); then given and the name in UTF-8
_GIVEN = struct.Struct(">f4s")  # score, digest of the name
_BALANCE = struct.Struct(">ff")

# They must fit into a URL. If more photos have nearly equal scores, the order alone decides.
MAX_GIVEN = 150

LATEST = 2**53  # larger dates are not exact as a float

Given = tuple[float, bytes]  # score, digest of the name
Balances = tuple[tuple[float, float], ...]  # mean and spread of each term, as float32


@dataclass(frozen=True)
class Cursor:
    """`fingerprint` (8 bytes) identifies the query and the space of the cursor.

    `given`: returned photos that the next page could repeat; empty if there are too many.
    `balances`: those of a search with several terms. The next page needs them, because they follow
    from a sample of the library, which may change.
    """

    score: float
    name: str
    fingerprint: bytes
    given: tuple[Given, ...] = ()
    balances: Balances = ()

    def after(self, score_error: float) -> tuple[float, str]:
        """The score and the name after which the next page is searched.

        `score_error`: the largest difference between two scores of one photo.
        """
        return (self.score + score_error, "") if self.given else (self.score, self.name)

    @property
    def date_and_name(self) -> tuple[int, str]:
        """In the order by date, the score is a date: seconds since 1970."""
        return int(max(-LATEST, min(self.score, LATEST))), self.name

    def has_given(self, name: str) -> bool:
        mark = _digest(name)
        return any(other == mark for _, other in self.given)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:4]


def cursor_behind(
    hits: Sequence[tuple[float, str]],
    before: Cursor | None,
    mark: bytes,
    score_error: float,
    balances: Balances = (),
) -> Cursor:
    """The cursor after `hits`, the non-empty page that followed `before`.

    `score_error`: see Cursor.after().
    """
    last, name = hits[-1]
    score, earlier = last, before.given if before else ()
    if before is not None and earlier:
        score = min(last, before.score)  # on another instance a later page may end higher
    seam = score + 2 * score_error  # above this, any other instance has more than after()
    given = [(its, other) for its, other in earlier if its <= seam]
    given += [(its, _digest(other)) for its, other in hits if its <= seam]
    is_unknown = before is not None and not earlier and before.score <= seam
    if is_unknown or len(given) > MAX_GIVEN:
        return Cursor(last, name, mark, (), balances)
    return Cursor(score, name, mark, tuple(given), balances)


def fingerprint(*parts: str | bytes | None) -> bytes:
    """Eight bytes that differ between queries: None from "", and ("a", "b") from ("ab",)."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"-" if data is None else b"%d:" % len(data) + data)
    return digest.digest()[:8]


def encode_cursor(cursor: Cursor) -> str:
    """Encode `cursor` in characters that need no escaping in a URL."""
    head = _HEAD.pack(cursor.score, cursor.fingerprint, len(cursor.given))
    given = b"".join(_GIVEN.pack(*photo) for photo in cursor.given)
    text = _encoded(head + given + cursor.name.encode())
    if not cursor.balances:
        return text
    return f"{text}.{_encoded(b''.join(_BALANCE.pack(*pair) for pair in cursor.balances))}"


def decode_cursor(text: str) -> Cursor:
    """The inverse of encode_cursor. Raises BadQuery if `text` does not come from it."""
    first, _, second = text.partition(".")
    try:
        data = _decoded(first)
        score, mark, count = _HEAD.unpack_from(data)
        end = _HEAD.size + count * _GIVEN.size
        given = tuple(_GIVEN.iter_unpack(data[_HEAD.size : end]))
        name = data[end:].decode()
        balances = tuple(_BALANCE.iter_unpack(_decoded(second)))
    except (ValueError, struct.error) as error:
        raise _bad(text) from error
    is_finite = all(math.isfinite(mean) and 0 < spread < math.inf for mean, spread in balances)
    if not math.isfinite(score) or not name or not is_finite:
        raise _bad(text)
    return Cursor(score, name, mark, given, balances)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _bad(text: str) -> BadQuery:
    return BadQuery(f"invalid cursor {quoted(text)}; use the next_cursor of the previous page")

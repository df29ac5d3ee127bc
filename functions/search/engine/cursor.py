"""Where the next part of an answer starts: after a score and a name, for one query only.

The next part may come from another instance, and there a photo may have a slightly other score:
this one read float32 from a segment, that one float16 from a pack. By order alone, a photo could
come on both sides of the seam, or on neither. So the next part begins a little before the seam,
and the cursor names what was given there.
"""

import base64
import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from search.engine.errors import BadQuery, quoted

_HEAD = struct.Struct(">d8sB")  # score, fingerprint, how many given; these, and the name's UTF-8
_GIVEN = struct.Struct(">f4s")  # score, digest of the name

# By how much the scores of one photo may differ. float16 moves one by 0.00018 where a number of
# the vector dominates, as in CLIP's; by a tenth of that else.
TOLERANCE = 2e-4
# An address has to hold them. Where more photos are as alike, the order alone has to do.
MAX_GIVEN = 150

Given = tuple[float, bytes]  # score, digest of the name


@dataclass(frozen=True)
class Cursor:
    """`fingerprint` (8 bytes) belongs to the query and the space that made the cursor.

    `given`: all photos given so far with which the next part might begin; none if there are too
    many of them.
    """

    score: float
    name: str
    fingerprint: bytes
    given: tuple[Given, ...] = ()

    @property
    def after(self) -> tuple[float, str]:
        """The score and the name behind which the next part is looked for."""
        return (self.score + TOLERANCE, "") if self.given else (self.score, self.name)

    def has_given(self, name: str) -> bool:
        mark = _digest(name)
        return any(other == mark for _, other in self.given)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:4]


def cursor_behind(hits: Sequence[tuple[float, str]], before: Cursor | None, mark: bytes) -> Cursor:
    """The cursor behind `hits`, which are not empty and came behind `before`."""
    score, name = hits[-1]
    seam = score + 2 * TOLERANCE  # what is above here is above score + TOLERANCE there, too
    given = [(its, _digest(other)) for its, other in hits if its <= seam]
    if before is not None and before.score <= seam:
        earlier = [(its, other) for its, other in before.given if its <= seam]
        given = earlier + given if before.given else []
    return Cursor(score, name, mark, tuple(given) if len(given) <= MAX_GIVEN else ())


def fingerprint(*parts: str | bytes | None) -> bytes:
    """Eight bytes that tell queries apart; None and "" differ, and so do ("a", "b"), ("ab",)."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"-" if data is None else b"%d:" % len(data) + data)
    return digest.digest()[:8]


def encode_cursor(cursor: Cursor) -> str:
    """`cursor` in characters that need no escaping in an address."""
    head = _HEAD.pack(cursor.score, cursor.fingerprint, len(cursor.given))
    given = b"".join(_GIVEN.pack(*photo) for photo in cursor.given)
    data = head + given + cursor.name.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_cursor(text: str) -> Cursor:
    """The inverse. Raises BadQuery for anything that encode_cursor did not make."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        score, mark, count = _HEAD.unpack_from(data)
        end = _HEAD.size + count * _GIVEN.size
        given = tuple(_GIVEN.iter_unpack(data[_HEAD.size : end]))
        name = data[end:].decode()
    except (ValueError, struct.error) as error:
        raise _bad(text) from error
    if not math.isfinite(score) or not name:
        raise _bad(text)
    return Cursor(score, name, mark, given)


def _bad(text: str) -> BadQuery:
    return BadQuery(f"cursor {quoted(text)} is not a next_cursor of an answer")

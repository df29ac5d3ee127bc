"""Where the next part of an answer starts: after a score and a name, for one query only."""

import base64
import hashlib
import math
import struct
from dataclasses import dataclass

from search.problems import BadRequest, quoted

_HEAD = struct.Struct(">d8s")  # score, fingerprint; the name's UTF-8 follows


@dataclass(frozen=True)
class Cursor:
    """`fingerprint` (8 bytes) belongs to the query and the space that made the cursor."""

    score: float
    name: str
    fingerprint: bytes


def fingerprint(*parts: str | bytes | None) -> bytes:
    """Eight bytes that tell queries apart; None and "" differ, and so do ("a", "b"), ("ab",)."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"-" if data is None else b"%d:" % len(data) + data)
    return digest.digest()[:8]


def encode_cursor(cursor: Cursor) -> str:
    """`cursor` in characters that need no escaping in an address."""
    data = _HEAD.pack(cursor.score, cursor.fingerprint) + cursor.name.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_cursor(text: str) -> Cursor:
    """The inverse. Raises BadRequest for anything that encode_cursor did not make."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        score, mark = _HEAD.unpack_from(data)
        name = data[_HEAD.size :].decode()
    except (ValueError, struct.error) as error:
        raise _bad(text) from error
    if not math.isfinite(score) or not name:
        raise _bad(text)
    return Cursor(score, name, mark)


def _bad(text: str) -> BadRequest:
    return BadRequest(f"cursor {quoted(text)} is not a next_cursor of an answer")

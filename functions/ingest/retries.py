"""How often the same thing may be tried, so that what ends the process does not do so all day.

A fault of the infrastructure passes, and its event may come again as often as it does. What is
counted is the rest: errors that nobody foresaw, and attempts after which there was nobody left to
say anything (out of memory, or of time). An attempt leaves an object before it begins, and takes
it away when it has ended:

    <index>/attempts/<digest>/<random>

Only of events that are older than two minutes, which have most likely been delivered before: a
fresh one costs nothing more. Deliveries wait 10 s to 600 s, so the limit is reached in half an
hour; in an hour, if each attempt runs out of time.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress

from clipsearch.errors import ClipsearchError, StorageError
from clipsearch.storage import Bucket
from ingest.answer import Answer
from ingest.events import Refused

FRESH_S = 120.0
LIMIT = 5


def limited(
    index: Bucket,
    key: str,
    age_s: float | None,
    work: Callable[[], Answer],
    give_up: Callable[[str], Answer],
    limit: int = LIMIT,
) -> Answer:
    """`work()`; at the end of the last attempt `give_up(reason)`.

    `key` says what is tried; `age_s` how old its event is, None if nobody knows. Raises what
    `work` raises while there are attempts left, and StorageError.
    """
    if age_s is None or age_s < FRESH_S:
        return work()
    attempts = _Attempts(index, key)
    before = attempts.begin()
    if before >= limit:
        answer = give_up(f"gave up after {before} attempts that ended the process")
    else:
        try:
            answer = work()
        except (ClipsearchError, Refused):  # it passes, or says all there is to say
            attempts.take_back()
            raise
        except Exception as error:
            if before + 1 < limit:
                raise
            answer = give_up(f"gave up after {limit} attempts ({type(error).__name__})")
    attempts.forget()
    return answer


class _Attempts:
    def __init__(self, index: Bucket, key: str) -> None:
        self._index = index
        self._prefix = f"attempts/{hashlib.sha256(key.encode()).hexdigest()[:32]}/"
        self._names: list[str] = []

    def begin(self) -> int:
        """How many were begun before and have not ended; this one is noted."""
        self._names = [stat.name for stat in self._index.list(self._prefix)]
        self._names.append(f"{self._prefix}{secrets.token_hex(8)}")
        self._index.create(self._names[-1], b"")
        return len(self._names) - 1

    def take_back(self) -> None:
        """This one does not count. If even that cannot be said, it counts: no harm is done."""
        with suppress(StorageError):
            self._index.delete(self._names[-1])

    def forget(self) -> None:
        for name in self._names:
            self._index.delete(name)

"""Limits the attempts to index photos, and gives up after the last one.

Faults of the infrastructure do not count: they pass, and their events are retried. Unexpected
errors count, and so do attempts that ended the process (out of memory, or of time). A message with
several photos is cut in two until one photo is left. That photo becomes a failure, and a dead
letter names it. Every reconcile retries it.

An attempt creates an object before it begins and deletes it when it has ended:

    <index>/attempts/<digest>/<random>

Only events older than two minutes are counted: most likely they were delivered before. So a fresh
event costs no request more. Deliveries wait 10 s to 600 s. The limit is reached within half an
hour, or an hour if each attempt runs out of time. Import this inside functions only.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from clipsearch.errors import ClipsearchError, StorageError
from clipsearch.index.format.entries import Cause
from clipsearch.index.format.segments import write_segment
from clipsearch.storage import Bucket
from ingest.answer import Answer
from ingest.entries import failure
from ingest.events import Refused, age_s
from ingest.messages import Index, to_json
from ingest.services import Services

FRESH_S = 120.0
LIMIT = 5
LIMIT_TOGETHER = 2  # of a message with several photos, before it is cut in two


def limited(message: Index, event: Any, services: Services, work: Callable[[], Answer]) -> Answer:
    """Call `work()`, which indexes the photos of `message`. After the last attempt, give up.

    Raises what `work` raises while there are attempts left, StorageError and TopicError.
    """
    age = age_s(event)
    is_single = len(message.photos) == 1
    if age is None or age < FRESH_S or (services.topic is None and not is_single):
        return work()
    limit = LIMIT if is_single else LIMIT_TOGETHER
    attempts = _Attempts(services.index, message)
    before = attempts.begin()
    if before >= limit:
        answer = _give_up(message, event, services, f"{before} attempts ended the process")
    else:
        try:
            answer = work()
        except (ClipsearchError, Refused):  # a fault that passes, or nothing to do
            attempts.take_back()
            raise
        except Exception as error:
            if before + 1 < limit:
                raise
            reason = f"{limit} attempts ({type(error).__name__})"
            answer = _give_up(message, event, services, reason)
    attempts.forget()
    return answer


def _give_up(message: Index, event: Any, services: Services, after: str) -> Answer:
    reason = f"gave up after {after}"
    if len(message.photos) > 1:
        assert services.topic is not None
        middle = len(message.photos) // 2
        halves = message.photos[:middle], message.photos[middle:]
        services.topic.publish([to_json(replace(message, photos=half)) for half in halves])
        return Answer("done", f"index: cut in two: {reason}", logging.WARNING)
    [photo] = message.photos
    if photo.at != photo.known:  # otherwise the index has this failure already
        entry = failure(photo.name, photo.at, reason, Cause.GAVE_UP)
        write_segment(services.index, message.space, [entry])
    if services.dead_letters is not None:
        letter = {"name": photo.name, "generation": photo.generation, "reason": reason}
        letter["event"] = {key: event.get(key) for key in ("type", "source", "id", "time")}
        services.dead_letters.publish([json.dumps(letter, ensure_ascii=False).encode()])
    return Answer("given up", f"{reason}: {photo.name!r}", logging.ERROR)


class _Attempts:
    def __init__(self, index: Bucket, message: Index) -> None:
        self._index = index
        self._prefix = f"attempts/{hashlib.sha256(_key(message)).hexdigest()[:32]}/"
        self._names: list[str] = []

    def begin(self) -> int:
        """Note this attempt; returns how many earlier ones have not ended."""
        self._names = [stat.name for stat in self._index.list(self._prefix)]
        self._names.append(f"{self._prefix}{secrets.token_hex(8)}")
        self._index.create(self._names[-1], b"")
        return len(self._names) - 1

    def take_back(self) -> None:
        """This attempt does not count. If the storage fails here, it counts: that is harmless."""
        with suppress(StorageError):
            self._index.delete(self._names[-1])

    def forget(self) -> None:
        for name in self._names:
            self._index.delete(name)


def _key(message: Index) -> bytes:
    """Identifies what is tried. An event and a message for one photo have the same key."""
    if len(message.photos) > 1:
        return to_json(message)
    [photo] = message.photos
    return f"{message.space}\0{photo.name}\0{photo.generation}".encode()

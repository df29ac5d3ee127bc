"""Photos and messages with a limited number of attempts, and what happens after the last one.

Imported on the first event, not with main.py.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from typing import Any

from clipsearch.index.format.entries import Cause, Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.timing import Timing
from ingest import maintenance, photos
from ingest.answer import Answer
from ingest.events import PhotoEvent, age_s
from ingest.messages import Index, Message, to_json
from ingest.retries import LIMIT, limited
from ingest.services import Services

# Of a message with many photos, before it is cut in two to find the one.
ATTEMPTS_TOGETHER = 2


def index(photo: PhotoEvent, event: Any, services: Services, timing: Timing) -> Answer:
    """photos.index, so many times. Raises what that raises, and TopicError."""

    def give_up(reason: str) -> Answer:
        photos.fail(photo, services, reason, Cause.GAVE_UP)
        return _given_up(photo.name, photo.generation, reason, event, services)

    return limited(
        services.index,
        f"{photo.name}\0{photo.generation}",
        age_s(event),
        lambda: photos.index(photo, services, timing),
        give_up,
    )


def handle(message: Message, event: Any, services: Services) -> Answer:
    """maintenance.handle; a message that ends the process is cut in two, down to one photo."""
    if not isinstance(message, Index) or services.topic is None:
        return maintenance.handle(message, services)

    def cut(reason: str) -> Answer:
        assert services.topic is not None
        middle = len(message.photos) // 2
        halves = message.photos[:middle], message.photos[middle:]
        services.topic.publish([to_json(replace(message, photos=half)) for half in halves])
        return Answer("done", f"index: cut in two: {reason}", logging.WARNING)

    def give_up(reason: str) -> Answer:
        [photo] = message.photos
        if photo.at != photo.known:  # else it was a failure before, and nothing is new
            now_us = time.time_ns() // 1000
            entry = Entry(
                photo.name,
                photo.at,
                Kind.FAILURE,
                time_us=now_us,
                reason=reason,
                cause=Cause.GAVE_UP,
            )
            write_segment(services.index, message.space, [entry])
        return _given_up(photo.name, photo.generation, reason, event, services)

    is_single = len(message.photos) == 1
    return limited(
        services.index,
        to_json(message).decode(),
        age_s(event),
        lambda: maintenance.handle(message, services),
        give_up if is_single else cut,
        LIMIT if is_single else ATTEMPTS_TOGETHER,
    )


def _given_up(name: str, generation: int, reason: str, event: Any, services: Services) -> Answer:
    if services.dead_letters is not None:
        letter = {"name": name, "generation": generation, "reason": reason}
        letter["event"] = {key: event.get(key) for key in ("type", "source", "id", "time")}
        services.dead_letters.publish([json.dumps(letter, ensure_ascii=False).encode()])
    return Answer("given up", f"{reason}: {name!r}", logging.ERROR)

"""Entry point `ingest`: one storage event in, at most one small segment out; and maintenance.

An event answered 2xx is finished. An exception is a 500, and the event is delivered again
(invariants 1 and 5). Imports nothing heavy: the framework imports this module before it forks.
"""

import functools
import logging
import threading
from typing import TYPE_CHECKING, Any

import flask
import functions_framework

from clipsearch import telemetry
from clipsearch.settings import Settings
from clipsearch.telemetry import Timing
from ingest import malformed
from ingest.answer import Answer
from ingest.events import PhotoEvent, Refused, age_s, parse_event
from ingest.messages import PUBLISHED, Message, message_of, parse_message

if TYPE_CHECKING:
    from concurrent.futures import Future

    from clipsearch.model.pointer import Pointer
    from ingest.services import Services

_services_lock = threading.Lock()


@functions_framework.cloud_event
def ingest(event: Any) -> None:
    """Handle an event of the photos bucket or a maintenance message.

    Returns when the result is durable. Raises what must be retried.
    """
    malformed.reached()
    telemetry.begin(flask.request.headers)
    timing = Timing()
    answer = Answer("error", "", logging.CRITICAL)
    try:
        answer = _handle(event, timing)
    except Exception as error:
        detail = f"will be delivered again: {type(error).__name__}: {error}"
        answer = Answer("error", detail, logging.ERROR)
        raise
    finally:
        _write_line(event, answer, timing)


def _handle(event: Any, timing: Timing) -> Answer:
    services = _services()
    message: Message
    pointer: Pointer | None = None
    try:
        if event["type"] != PUBLISHED:
            photo = parse_event(event, services.settings.photos)
            with timing.phase("load"):
                begun = _begun(photo, services)
                pointer = services.model.pointer()
                message = message_of(photo, pointer.space, pointer.beside, begun)
        else:
            message = parse_message(event.data)
        from ingest import maintenance

        answer = maintenance.handle(message, event, services, timing)
    except Refused as refused:
        # Acknowledged: each retry would be refused, too, for a day.
        return Answer("refused", str(refused), refused.level)
    if pointer is not None:
        maintenance.compact_now_and_then(services)
        maintenance.reconcile_after_switch(services, pointer)
    return answer


def _begun(photo: PhotoEvent, services: "Services") -> "Future[bytes] | None":
    """Read an upload beside the look for a new model, if one is due."""
    if not photo.finalized or not services.model.is_look_due():
        return None
    from ingest.read_photo import begin_reading

    return begin_reading(photo.name, photo.generation, photo.size, services.photos)


def _write_line(event: Any, answer: Answer, timing: Timing) -> None:
    """Write the log line. For an indexed photo, `age_s` is the time from upload to searchable."""
    subject = event.get("subject") or event["id"]
    age = age_s(event)
    ms = timing.milliseconds()
    facts = {**answer.facts, **({} if age is None else {"age_s": round(age, 3)})}
    said = ", ".join(f"{name} {value}" for name, value in facts.items())
    telemetry.write(
        answer.level,
        f"event {event['type']} {subject!r}: {answer.outcome}, {answer.detail} "
        f"({telemetry.durations(ms)}{'; ' if said else ''}{said})",
        kind="event",
        type=event["type"],
        subject=subject,
        outcome=answer.outcome,
        detail=answer.detail,
        ms=ms,
        **facts,
    )


def _services() -> "Services":
    # functools.cache alone could call _make_services twice at once.
    with _services_lock:
        return _make_services()


@functools.cache
def _make_services() -> "Services":
    from ingest.services import Services

    return Services(Settings.from_env())

"""Entry point `ingest`: one storage event in, at most one small segment out; and maintenance.

An event answered 2xx is done with; an exception is a 500, and the event comes again
(invariants 1 and 5). Imports nothing heavy: the framework imports this before it forks.
"""

import functools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import functions_framework

from clipsearch.settings import Settings
from ingest.events import Refused, parse_event
from ingest.logs import show_log
from ingest.messages import PUBLISHED, parse_message

if TYPE_CHECKING:
    from ingest.services import Services

_log = logging.getLogger("clipsearch")
_services_lock = threading.Lock()


@functions_framework.cloud_event
def ingest(event: Any) -> None:
    """Answer an event of the photos bucket, or a message about maintenance; returns when what
    follows from it is durable."""
    show_log()
    started = time.monotonic()
    level, outcome = logging.ERROR, "error"
    try:
        level, outcome = _handle(event)
    except Exception as error:
        outcome = f"error, to be delivered again: {type(error).__name__}: {error}"
        raise
    finally:
        spent_ms = (time.monotonic() - started) * 1000
        subject = event.get("subject") or event["id"]
        _log.log(level, "%s %r: %s (%.0f ms)", event["type"], subject, outcome, spent_ms)


def _handle(event: Any) -> tuple[int, str]:
    """The log level and the outcome in words."""
    services = _services()
    try:
        if event["type"] == PUBLISHED:
            message = parse_message(event.data)
            from ingest import maintenance

            return logging.INFO, maintenance.handle(message, services)
        photo = parse_event(event, services.settings.photos)
    except Refused as refused:
        # Acknowledged: the same event would be refused again, for a day.
        return refused.level, f"refused: {refused}"
    from ingest import compaction, photos

    outcome = (photos.index if photo.finalized else photos.remove)(photo, services)
    compaction.now_and_then(services)
    return logging.INFO, outcome


def _services() -> "Services":
    # functools.cache alone might make two at once
    with _services_lock:
        return _make_services()


@functools.cache
def _make_services() -> "Services":
    from ingest.services import Services

    return Services(Settings.from_env())

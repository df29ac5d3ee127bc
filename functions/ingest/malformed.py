"""Answers 400 to requests that the framework cannot parse as CloudEvents.

Without this the answer would be a 500, and the request would be sent again.
"""

import logging
from typing import Any

import flask
import functions_framework
from cloudevents.exceptions import DataUnmarshallerError

from clipsearch import telemetry

BATCH = "application/cloudevents-batch+json"


def reached() -> None:
    """`ingest` calls this first: later errors are not those of a malformed request."""
    flask.g.is_event = True


def _refuse(error: Exception) -> tuple[str, int]:
    if flask.g.get("is_event"):
        raise error
    if flask.request.mimetype == BATCH:
        reason = "CloudEvents in batch mode are not supported; send one event a request"
    elif isinstance(error, TypeError):
        raise error
    else:
        reason = "the event is not JSON, or it is nested too deeply"
    telemetry.write(logging.ERROR, f"request refused: {reason}", kind="event", outcome="refused")
    return reason, 400


_errorhandler: Any = functions_framework.errorhandler  # of the application under construction
for _error in (DataUnmarshallerError, RecursionError, TypeError):
    _errorhandler(_error)(_refuse)

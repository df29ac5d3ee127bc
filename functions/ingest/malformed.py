"""Requests that the framework takes for CloudEvents and stumbles over, before `ingest` is called.

Without this they would be a 500, which says: send it again.
"""

import logging
from typing import Any

import flask
import functions_framework
from cloudevents.exceptions import DataUnmarshallerError

from clipsearch import telemetry

BATCH = "application/cloudevents-batch+json"


def reached() -> None:
    """Called by `ingest`: from now on no error is that of a malformed request."""
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


_errorhandler: Any = functions_framework.errorhandler  # of the application that is being made
for _error in (DataUnmarshallerError, RecursionError, TypeError):
    _errorhandler(_error)(_refuse)

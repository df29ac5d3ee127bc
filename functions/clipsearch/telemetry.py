"""Log lines, and the times of parts of a request.

On Cloud Run each log line is a JSON object for Cloud Logging; elsewhere it is text. This includes
the lines of all modules that use `logging.getLogger("clipsearch")`. For the special fields, see
https://cloud.google.com/logging/docs/structured-logging.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from clipsearch.text import printable, printable_lines

_log = logging.getLogger("clipsearch")
_trace: ContextVar[Mapping[str, Any] | None] = ContextVar("trace", default=None)

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
# https://cloud.google.com/trace/docs/trace-context: TRACE_ID[/SPAN_ID][;o=OPTIONS]
_CLOUD_TRACE = re.compile(r"([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;o=([01]))?")


def begin(headers: Any) -> None:
    """Set up logging and the trace for one request or event. Call it in the worker.

    `headers`: a case-insensitive mapping.
    """
    _show()
    _trace.set(trace_of(headers))


def write(level: int, text: str, **fields: Any) -> None:
    """Write one line. `text` has all the facts of `fields`."""
    _log.log(level, "%s", text, extra={"fields": fields})


def durations(ms: Mapping[str, float]) -> str:
    """Format milliseconds by name, for a line's text."""
    return f"ms: {', '.join(f'{name} {value}' for name, value in ms.items())}"


def trace_of(headers: Any) -> dict[str, Any]:
    """Return Cloud Logging's special fields for the trace of a request; empty without a trace."""
    if found := _TRACEPARENT.fullmatch(headers.get("traceparent") or ""):
        trace, span, sampled = found[1], found[2], bool(int(found[3], 16) & 1)
    elif found := _CLOUD_TRACE.fullmatch(headers.get("x-cloud-trace-context") or ""):
        trace, sampled = found[1], found[3] == "1"
        span = f"{int(found[2]):016x}" if found[2] else None
    else:
        return {}
    project = os.environ.get("GOOGLE_CLOUD_PROJECT")
    fields: dict[str, Any] = {
        "logging.googleapis.com/trace": f"projects/{project}/traces/{trace}" if project else trace,
        "logging.googleapis.com/trace_sampled": sampled,
    }
    return fields | {"logging.googleapis.com/spanId": span} if span else fields


class CloudFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            # Error Reporting looks for tracebacks in the message
            message = f"{message}\n{''.join(traceback.format_exception(*record.exc_info))}"
        line = {
            **getattr(record, "fields", {}),
            "severity": record.levelname,
            "message": message,
            **(_trace.get() or {}),
        }
        # with ensure_ascii=False, json escapes only the C0 controls
        return printable(json.dumps(line, ensure_ascii=False, default=str))


class TextFormatter(logging.Formatter):
    """The message on one line, then the traceback, with terminal controls escaped."""

    def format(self, record: logging.LogRecord) -> str:
        message = printable(record.getMessage())
        if not record.exc_info:
            return message
        return f"{message}\n{printable_lines(self.formatException(record.exc_info))}"


def to_terminal() -> None:
    """Write log lines to the terminal as text, unless a handler already exists."""
    if not _log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(TextFormatter())
        _log.addHandler(handler)


def _show() -> None:
    """Correct the logging set-up of functions-framework.

    With LOG_EXECUTION_ID, as on Cloud Run, the framework gives the root logger the level WARNING
    and a handler that adds the execution id. For async functions it also disables all existing
    loggers. Without LOG_EXECUTION_ID there is no handler.
    """
    _log.setLevel(logging.INFO)
    _log.disabled = False
    to_terminal()
    if "K_SERVICE" in os.environ:  # https://cloud.google.com/run/docs/container-contract
        for handler in (*_log.handlers, *logging.getLogger().handlers):
            if not isinstance(handler.formatter, CloudFormatter):
                handler.setFormatter(CloudFormatter())


class Timing:
    """Measures time from its creation. Times of a phase add up, also across threads.

    `phases`: names that are reported even if they never ran.
    """

    def __init__(self, phases: Sequence[str] = ()) -> None:
        self._start = time.perf_counter()
        self._phases = dict.fromkeys(phases, 0.0)
        self._lock = threading.Lock()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            with self._lock:
                self._phases[name] = self._phases.get(name, 0.0) + took

    def milliseconds(self) -> dict[str, float]:
        """Return milliseconds of each phase, and `total` since the creation.

        `total` includes time between phases, such as reading the request or waiting for a thread.
        """
        total = time.perf_counter() - self._start
        return {name: round(1000 * s, 2) for name, s in (self._phases | {"total": total}).items()}

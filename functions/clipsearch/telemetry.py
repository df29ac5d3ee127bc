"""Log lines, and how long the parts of some work took.

Log lines: on Cloud Run one JSON object each, as Cloud Logging reads it; elsewhere the same
as text.

https://cloud.google.com/logging/docs/structured-logging has the special fields. The lines of the
other modules (`logging.getLogger("clipsearch")`) come out in the same form.
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
    """Called for each request and event, in the worker: makes the lines appear, and says which
    trace those of this one belong to. `headers`: a mapping that finds names in any case."""
    _show()
    _trace.set(trace_of(headers))


def write(level: int, text: str, **fields: Any) -> None:
    """One line: `text` says all that `fields` have."""
    _log.log(level, "%s", text, extra={"fields": fields})


def durations(ms: Mapping[str, float]) -> str:
    """Milliseconds by name, as a part of a line's text."""
    return f"ms: {', '.join(f'{name} {value}' for name, value in ms.items())}"


def trace_of(headers: Any) -> dict[str, Any]:
    """The special fields of Cloud Logging that name a request's trace; none if it has none."""
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
            # in the message: that is where Error Reporting looks for a traceback
            message = f"{message}\n{''.join(traceback.format_exception(*record.exc_info))}"
        line = {
            **getattr(record, "fields", {}),
            "severity": record.levelname,
            "message": message,
            **(_trace.get() or {}),
        }
        # JSON escapes C0 controls by itself, the others only if it escapes every letter like ä
        return printable(json.dumps(line, ensure_ascii=False, default=str))


class TextFormatter(logging.Formatter):
    """The message on one line, then the traceback, and nothing in them that steers a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        message = printable(record.getMessage())
        if not record.exc_info:
            return message
        return f"{message}\n{printable_lines(self.formatException(record.exc_info))}"


def to_terminal() -> None:
    """Make the lines appear as text, unless somebody else shows them already."""
    if not _log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(TextFormatter())
        _log.addHandler(handler)


def _show() -> None:
    """The framework sets logging up by itself. With LOG_EXECUTION_ID, as on Cloud Run, the root
    logger gets a handler, which adds the execution's id, and the level WARNING; and of an async
    function, all loggers made so far are disabled. Without it there is no handler at all."""
    _log.setLevel(logging.INFO)
    _log.disabled = False
    to_terminal()
    if "K_SERVICE" in os.environ:  # https://cloud.google.com/run/docs/container-contract
        for handler in (*_log.handlers, *logging.getLogger().handlers):
            if not isinstance(handler.formatter, CloudFormatter):
                handler.setFormatter(CloudFormatter())


class Timing:
    """Starts when it is made. Several threads may be in a phase, whose times are added up.

    `phases`: those that are told even if they never began."""

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
        """The phases, and `total` since the start: with what lies between them, too, as reading
        the request and waiting for a thread."""
        total = time.perf_counter() - self._start
        return {name: round(1000 * s, 2) for name, s in (self._phases | {"total": total}).items()}

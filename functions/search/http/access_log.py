"""The log line of a request. It never has the words or pictures of a query."""

import logging
import random

from starlette.requests import Request

from clipsearch import telemetry
from clipsearch.text import shortened
from search.engine.timing import Timing

# Milliseconds. A request that takes as long always gets its line.
SLOW_MS = 1000


def write_line(
    request: Request, status: int, detail: str, is_cold: bool, timing: Timing, share: float = 1
) -> None:
    """`detail`: the error, or "". `is_cold`: whether this request loaded model or index.

    `share`: the share of the usual requests that get a line, from 0 to 1. Usual are fast answers,
    and refusals of a client that sends too many: a flood must not fill the log.
    """
    outcome, level = _outcome(status)
    ms = timing.milliseconds()
    is_usual = (status < 400 or status == 429) and ms["total"] < SLOW_MS and not is_cold
    if is_usual and random.random() >= share:
        return
    said = f", {detail}" if detail else ""
    path = shortened(request.url.path)
    telemetry.write(
        level,
        f"request {request.method} {path}: {status} {outcome}{said} "
        f"({'cold; ' if is_cold else ''}{telemetry.durations(ms)})",
        kind="request",
        method=request.method,
        path=path,
        status=status,
        outcome=outcome,
        detail=detail,
        cold=is_cold,
        ms=ms,
    )


def _outcome(status: int) -> tuple[str, int]:
    if status < 400:
        return "answered", logging.INFO
    if status < 500:
        return "refused", logging.INFO
    return ("not ready", logging.WARNING) if status == 503 else ("failed", logging.ERROR)

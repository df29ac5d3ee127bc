"""Retries: how long to wait, how often to try, and what a server asks for."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 30.0
TRIES = 5


class Retries:
    """Counts the tries of one piece of work and waits between them."""

    def __init__(self, stop: threading.Event, most: int = TRIES) -> None:
        self._stop, self._most = stop, most
        self._tried = 0

    def failed(self) -> bool:
        """Count a failure. True if another try is allowed."""
        self._tried += 1
        return self._tried < self._most

    def start_over(self) -> None:
        """Forget the failures: something was achieved."""
        self._tried = 0

    def wait(self) -> bool:
        """Wait for the next try. False if `stop` was set meanwhile."""
        return not self._stop.wait(wait_before(self._tried))


def wait_before(attempt: int) -> float:
    """Seconds to wait before `attempt` (1 is the first retry): doubling, with jitter."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)


def retry_after(value: str) -> float | None:
    """Seconds from a Retry-After header: a number of them, or a date (RFC 9110, 10.2.3)."""
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())

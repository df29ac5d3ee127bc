"""A bucket whose requests take longer, and what is known of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clipsearch.storage import Bucket

DELAY_S = 0.08


@dataclass(frozen=True, slots=True)
class Request:
    """`began`, `ended`: time.monotonic(). `what`: the method and the bucket."""

    began: float
    ended: float
    what: str


class Log:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def take(self) -> list[Request]:
        """The requests since the last call."""
        with self._lock:
            taken, self._requests = self._requests, []
            return taken


class SlowBucket:
    """Passes requests on to `bucket` and logs them; each takes DELAY_S longer."""

    def __init__(self, bucket: Bucket, log: Log) -> None:
        self.url = bucket.url
        self._bucket, self._log = bucket, log

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._bucket, name)
        what = f"{name} {self.url.rpartition('/')[2]}"

        def slow(*args: Any, **more: Any) -> Any:
            began = time.monotonic()
            time.sleep(DELAY_S)
            try:
                result = method(*args, **more)
                return iter([*result]) if name == "list" else result
            finally:
                self._log.add(Request(began, time.monotonic(), what))

        return slow


def chain(requests: Sequence[Request]) -> list[str]:
    """A longest sequence of requests of which each began after the one before had ended."""
    found: list[Request] = []
    for request in sorted(requests, key=lambda request: request.ended):
        if not found or request.began >= found[-1].ended:
            found.append(request)
    return [request.what for request in found]

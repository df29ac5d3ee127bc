"""Delivers events to ingest as Eventarc does: at least once, again after a failure."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Literal
from urllib.parse import quote

from cli.common.localhost import open_local
from cli.run.schedule import Maintenance

TYPE_PREFIX = "google.cloud.storage.object.v1."
BUCKET = "local-photos"
DELIVERIES_AT_ONCE = 4

# Eventarc waits 10 s to 600 s (https://cloud.google.com/eventarc/docs/retry-events); a person
# who watches waits less gladly.
FIRST_WAIT = 0.25
LONGEST_WAIT = 30.0
ATTEMPT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a photo; its `id` stays the same when it is delivered again.

    `is_replaced`: what is deleted had a successor. Storage does not tell; the terminal does.
    """

    kind: Literal["finalized", "deleted", "archived"]
    name: str
    generation: int
    size: int = 0  # bytes
    content_type: str | None = None
    is_replaced: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)

    def __str__(self) -> str:
        return self.name

    def request(self, url: str) -> urllib.request.Request:
        """The binary-mode HTTP request, as Cloud Storage's events look."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        resource = {
            "kind": "storage#object",
            "id": f"{BUCKET}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": BUCKET,
            # 64-bit numbers are strings in Google's JSON
            "generation": str(self.generation),
            "size": str(self.size),
            "updated": now,
        }
        if self.content_type:
            resource["contentType"] = self.content_type
        headers = {
            "Content-Type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": self.id,
            "ce-type": TYPE_PREFIX + self.kind,
            "ce-source": f"//storage.googleapis.com/projects/_/buckets/{BUCKET}",
            "ce-subject": quote(f"objects/{self.name}"),
            "ce-time": now,
            "ce-bucket": BUCKET,
        }
        return urllib.request.Request(url, json.dumps(resource).encode(), headers, method="POST")


@dataclass(slots=True)
class _Delivery:
    event: Event | Maintenance
    attempts: int = 0
    trouble: str = ""


class Feeder:
    """A few threads that POST events to `url` until each has been answered 2xx."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, _Delivery]] = []  # a heap: when, a tie-breaker, what
        self._ticket = itertools.count()
        self._open: dict[str, _Delivery] = {}  # by event id; not yet answered 2xx
        self._delivered: list[Event] = []
        self._closed = False
        for number in range(DELIVERIES_AT_ONCE):
            threading.Thread(target=self._work, name=f"feeder-{number}", daemon=True).start()

    def put(self, events: Sequence[Event | Maintenance]) -> None:
        with self._changed:
            for event in events:
                delivery = self._open[event.id] = _Delivery(event)
                heapq.heappush(self._due, (0.0, next(self._ticket), delivery))
            self._changed.notify_all()

    def take_delivered(self) -> list[Event]:
        """The events of photos answered 2xx since the last call."""
        with self._changed:
            delivered, self._delivered = self._delivered, []
            return delivered

    def waiting(self) -> int:
        """How many events have not been answered 2xx yet."""
        with self._changed:
            return len(self._open)

    def troubled(self, attempts: int) -> list[tuple[Event | Maintenance, str]]:
        """The events that failed at least `attempts` times, each with what went wrong last."""
        with self._changed:
            return [(d.event, d.trouble) for d in self._open.values() if d.attempts >= attempts]

    def close(self) -> None:
        """Deliver nothing more; a request in progress ends with ingest itself."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while delivery := self._next():
            trouble = self._attempt(delivery.event)
            with self._changed:
                if trouble is None:
                    del self._open[delivery.event.id]
                    if isinstance(delivery.event, Event):
                        self._delivered.append(delivery.event)
                    continue
                delivery.trouble = trouble
                delivery.attempts += 1
                due = time.monotonic() + wait_before(delivery.attempts)
                heapq.heappush(self._due, (due, next(self._ticket), delivery))

    def _next(self) -> _Delivery | None:
        """The next delivery that is due, when it is due; None when closed."""
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
            return None

    def _attempt(self, event: Event | Maintenance) -> str | None:
        """Deliver once; None when taken, else what went wrong. Redirects count as trouble."""
        try:
            with open_local(event.request(self._url), ATTEMPT_SECONDS):
                return None
        except (OSError, HTTPException) as exc:  # HTTPError, anything but 2xx, is an OSError
            return str(exc) or type(exc).__name__


def wait_before(attempt: int) -> float:
    """Seconds to wait before `attempt` (1 is the first repetition): doubling, with jitter."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)

"""Delivers events to ingest as Eventarc does: at least once, with retries."""

from __future__ import annotations

import heapq
import itertools
import json
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
from cli.common.retry import wait_before
from cli.run.schedule import Maintenance

TYPE_PREFIX = "google.cloud.storage.object.v1."
BUCKET = "local-photos"
DELIVERIES_AT_ONCE = 4

# Retries come sooner than Eventarc's 10 s to 600 s: a person is watching.
# https://cloud.google.com/eventarc/docs/retry-events
ATTEMPT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a photo. Each delivery of it has the same `id`.

    `is_replaced`: the deleted photo was overwritten. Only the terminal needs to know.
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
        """The HTTP request in binary mode, like the events of Cloud Storage."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        resource = {
            "kind": "storage#object",
            "id": f"{BUCKET}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": BUCKET,
            # Google's JSON writes 64-bit numbers as strings.
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
    """A few threads that POST each event to `url` until the answer is 2xx."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, _Delivery]] = []  # heap: due time, tie-breaker, …
        self._ticket = itertools.count()
        self._open: dict[str, _Delivery] = {}  # by event id; not answered 2xx yet
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
        """The events of photos that were answered 2xx since the last call."""
        with self._changed:
            delivered, self._delivered = self._delivered, []
            return delivered

    def waiting(self) -> int:
        """The number of events that were not answered 2xx yet."""
        with self._changed:
            return len(self._open)

    def photos_waiting(self) -> int:
        """The number of new photos among the events that were not answered 2xx yet."""
        with self._changed:
            events = [delivery.event for delivery in self._open.values()]
        return sum(isinstance(event, Event) and event.kind == "finalized" for event in events)

    def troubled(self, attempts: int) -> list[tuple[Event | Maintenance, str]]:
        """The events that failed at least `attempts` times, each with its last error."""
        with self._changed:
            return [(d.event, d.trouble) for d in self._open.values() if d.attempts >= attempts]

    def close(self) -> None:
        """Deliver nothing more. A request in progress ends with ingest itself."""
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
        """Wait until a delivery is due, and return it. None when closed."""
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
            return None

    def _attempt(self, event: Event | Maintenance) -> str | None:
        """Deliver once. None for an answer 2xx, otherwise the error; a redirect is one."""
        try:
            with open_local(event.request(self._url), ATTEMPT_SECONDS):
                return None
        except (OSError, HTTPException) as exc:  # HTTPError, anything but 2xx, is an OSError
            return str(exc) or type(exc).__name__

"""In place of Cloud Scheduler: asks ingest for maintenance every EVERY seconds."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

TOPIC = "projects/local/topics/maintenance"
EVERY = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A message about maintenance. Each delivery of it has the same `id`."""

    action: Literal["compact", "reconcile"]
    id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)

    def __str__(self) -> str:
        return self.action

    def request(self, url: str) -> urllib.request.Request:
        """The HTTP request in binary mode, like Eventarc's for a message of Pub/Sub."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        data = base64.b64encode(json.dumps({"action": self.action}).encode()).decode()
        message = {"data": data, "messageId": self.id, "publishTime": now}
        payload = {"message": message, "subscription": "projects/local/subscriptions/ingest"}
        headers = {
            "Content-Type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": self.id,
            "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
            "ce-source": f"//pubsub.googleapis.com/{TOPIC}",
            "ce-subject": self.action,
            "ce-time": now,
        }
        return urllib.request.Request(url, json.dumps(payload).encode(), headers, method="POST")


class Schedule:
    """All maintenance is due at the start, and then every EVERY seconds."""

    def __init__(self) -> None:
        self._next = float("-inf")
        self._is_asked = False

    def ask(self) -> None:
        """Make a reconcile due at the next call of `due`."""
        self._is_asked = True

    def due(self) -> list[Maintenance]:
        """The messages to deliver now."""
        now = time.monotonic()
        if now < self._next:
            messages = [Maintenance("reconcile")] if self._is_asked else []
        else:
            self._next = now + EVERY
            messages = [Maintenance("reconcile"), Maintenance("compact")]
        self._is_asked = False
        return messages

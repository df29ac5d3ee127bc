"""Pub/Sub's REST API in this process: the one call that `ingest` makes, and the delivery.

It keeps published messages. The test delivers them like Eventarc, at least once. API: https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish
"""

from __future__ import annotations

import base64
import json
from collections import deque
from typing import Any

from tests.support.http_double import Handler, HttpDouble

LOST = "lost"  # a fault: publish, but break the connection instead of answering
LARGEST_EVENT = 512_000  # bytes; https://cloud.google.com/functions/quotas


class PubSubDouble(HttpDouble):
    """A server on a free port; `host` is the value for PUBSUB_EMULATOR_HOST.

    `messages` are published and not taken yet. Each of the next requests uses up one of
    `faults`: a status to answer with, or LOST.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.messages: deque[bytes] = deque()
        self.faults: deque[int | str] = deque()
        self.requests = 0
        super().__init__(_Handler)

    def take(self) -> list[bytes]:
        """The messages published since the last call."""
        return [self.messages.popleft() for _ in range(len(self.messages))]


def event_of(data: bytes, id_: str = "1") -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body of the CloudEvent of a message with this data."""
    topic = "projects/p/topics/t"
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": id_,
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": f"//pubsub.googleapis.com/{topic}",
        "ce-time": "2026-11-23T12:00:00.000Z",
    }
    body = {
        "message": {
            "data": base64.b64encode(data).decode(),
            "messageId": id_,
            "publishTime": "2026-11-23T12:00:00.000Z",
        },
        "subscription": "projects/p/subscriptions/eventarc-s",
    }
    assert len(json.dumps(body)) < LARGEST_EVENT
    return headers, body


class _Handler(Handler):
    def do_POST(self) -> None:
        double: PubSubDouble = self.double
        double.requests += 1
        body = self.body()
        fault = double.faults.popleft() if double.faults else None
        status = fault if isinstance(fault, int) else self._publish(double, body)
        self.close_connection = True
        if fault == LOST:
            return
        answer = {"messageIds": []} if status == 200 else {"error": {}}
        self.send(status, answer, {"Connection": "close"})

    def _publish(self, double: PubSubDouble, body: bytes) -> int:
        if self.path != f"/v1/{double.topic}:publish":
            return 404
        messages = json.loads(body)["messages"]
        if not 1 <= len(messages) <= 1000 or len(body) > 10_000_000:
            return 400
        double.messages += [base64.b64decode(m["data"], validate=True) for m in messages]
        return 200

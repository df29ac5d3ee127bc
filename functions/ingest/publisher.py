"""Sends messages of a reconcile through Pub/Sub."""

from __future__ import annotations

from ingest.messages import Message, to_json
from ingest.pubsub import Topic

PUBLISHED_AT_ONCE = 20  # messages of at most 200 KB; Pub/Sub takes 10 MB


class Publisher:
    """Publishes the messages to Pub/Sub, which spreads them over instances."""

    keeps = True

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._waiting: list[bytes] = []

    def send(self, message: Message) -> None:
        self._waiting.append(to_json(message))
        if len(self._waiting) == PUBLISHED_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._topic.publish(self._waiting)
        self._waiting = []

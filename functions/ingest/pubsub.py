"""Publishes messages to a Pub/Sub topic through its REST API.

https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Sequence
from typing import Any

from clipsearch.errors import TopicError
from clipsearch.google_session import authorized_session, passing_retry

EMULATOR = "PUBSUB_EMULATOR_HOST"  # host:port of another server, as Google's clients take it
SERVICE = "https://pubsub.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/pubsub"
# As for the storage: retries end within the time that a request may take.
RETRY_S = 30.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
TIMEOUT_S = (5.0, 20.0)  # to connect, and for the answer


class Topic:
    """A topic, projects/PROJECT/topics/TOPIC. Connects on first use, because the server forks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._session: Any = None

    def publish(self, messages: Sequence[bytes], seconds: float | None = None) -> None:
        """Publish `messages`, with retries for `seconds` (default: RETRY_S). Raises TopicError.

        If an answer is lost, the retry publishes the messages twice.
        """
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        body = {"messages": [{"data": base64.b64encode(data).decode()} for data in messages]}
        retry = passing_retry(RETRY_S if seconds is None else seconds, FIRST_WAIT_S, LONGEST_WAIT_S)
        try:
            retry(self._publish)(body)
        except (GoogleAPIError, GoogleAuthError, OSError) as exc:
            raise TopicError(f"publish to {self.name}: {exc}") from exc

    def close(self) -> None:
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _publish(self, body: dict[str, Any]) -> None:
        from google.api_core.exceptions import from_http_response

        url = f"{_service()}/v1/{self.name}:publish"
        with self._connected().post(url, json=body, timeout=TIMEOUT_S) as answer:
            if not answer.ok:
                error_of: Any = from_http_response  # untyped
                raise error_of(answer)

    def _connected(self) -> Any:
        with self._lock:
            if self._session is None:
                emulated = os.environ.get(EMULATOR)
                self._session = authorized_session(None if emulated else SCOPE)
            return self._session


def _service() -> str:
    emulator = os.environ.get(EMULATOR)
    return f"http://{emulator}" if emulator else SERVICE

"""Publishing messages to a Pub/Sub topic, by its REST API.

https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish
PUBSUB_EMULATOR_HOST names another server, as for Google's own clients.
"""

from __future__ import annotations

import base64
import os
import random
import threading
import time
from collections.abc import Sequence
from typing import Any

from clipsearch.errors import TopicError

SERVICE = "https://pubsub.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/pubsub"
# As for the storage: trying again ends within the time that a request may take.
RETRY_S = 30.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
TIMEOUT_S = (5.0, 20.0)  # to connect, and for the answer
# 408, 429 and 5xx pass; the other answers would be the same again.
_PASSING = {408, 429, 500, 502, 503, 504}


class Topic:
    """projects/PROJECT/topics/TOPIC. Connects on first use: the server forks before."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._session: Any = None

    def publish(self, messages: Sequence[bytes], seconds: float | None = None) -> None:
        """Raises TopicError, after trying again for so many `seconds` (RETRY_S). If an answer
        is lost, messages may be there twice."""
        body = {"messages": [{"data": base64.b64encode(data).decode()} for data in messages]}
        give_up = time.monotonic() + (RETRY_S if seconds is None else seconds)
        wait = FIRST_WAIT_S
        while trouble := self._attempt(body):
            if time.monotonic() + wait > give_up:
                raise TopicError(f"publish to {self.name}: {trouble}")
            time.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(2 * wait, LONGEST_WAIT_S)

    def close(self) -> None:
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _attempt(self, body: dict[str, Any]) -> str | None:
        """What went wrong in passing, None if all is well. TopicError for what will not pass."""
        from google.auth.exceptions import GoogleAuthError

        url = f"{_service()}/v1/{self.name}:publish"
        try:
            with self._connected().post(url, json=body, timeout=TIMEOUT_S) as answer:
                if answer.ok:
                    return None
                trouble = f"{answer.status_code} {answer.reason}: {answer.text[:300]}"
        except GoogleAuthError as exc:
            raise TopicError(f"publish to {self.name}: {exc}") from exc
        except OSError as exc:  # every error of requests is one
            return f"{type(exc).__name__}: {exc}"
        if answer.status_code not in _PASSING:
            raise TopicError(f"publish to {self.name}: {trouble}")
        return trouble

    def _connected(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _session()
            return self._session


def _service() -> str:
    emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
    return f"http://{emulator}" if emulator else SERVICE


def _session() -> Any:
    import google.auth
    from google.auth import credentials
    from google.auth.transport import requests

    untyped: Any = (requests.AuthorizedSession, credentials.AnonymousCredentials)
    new_session, anonymous = untyped
    if os.environ.get("PUBSUB_EMULATOR_HOST"):
        return new_session(anonymous())
    return new_session(google.auth.default(scopes=[SCOPE])[0])

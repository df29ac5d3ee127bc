"""HTTP with a User-Agent, with limits, and with the pauses that the server asks for."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
import urllib3

from cli.common.output import say
from cli.common.retry import retry_after
from cli.upload.source import GiveUp, Unavailable

USER_AGENT = f"clipsearch (coco; {requests.utils.default_user_agent()})"
TIMEOUT_S = (10.0, 30.0)  # to connect, and to wait for the next bytes
LONGEST_PAUSE_S = 600.0  # if a server asks for more, we give up
TOLD_S = 5.0  # longer pauses are shown
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
CHUNK = 1 << 16  # bytes, at most


class Client:
    """For several threads. If a server asks one of them to wait, all of them wait.

    `stop`, when set, ends all waiting.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._sessions = threading.local()  # requests allows a session in one thread only
        self._lock = threading.Lock()
        self._closed_until = 0.0

    def download(self, url: str, most: int, seconds: float) -> bytes:
        """All bytes of the answer. Unavailable if there are more than `most` bytes, some are
        missing, or they take more than `seconds`. GiveUp if the server asks for a long pause."""
        until = time.monotonic() + seconds
        with self.opened(url, {}) as answer:
            data = bytearray()
            for chunk in body(answer):
                data += chunk
                if len(data) > most:
                    raise Unavailable(f"more than {most:,} bytes")
                if time.monotonic() > until or self._stop.is_set():
                    raise Unavailable(f"too slow: {len(data):,} bytes in {seconds:.0f} s", True)
            return bytes(data)

    @contextmanager
    def opened(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """The answer 200 or 206. Unavailable or GiveUp for any other, and for errors while it is
        read."""
        self._wait_for_turn()
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        try:
            get = self._session().get
            with get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
                self._check(answer)
                yield answer
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise Unavailable(_innermost(error), again=True) from error

    def _session(self) -> requests.Session:
        if not hasattr(self._sessions, "session"):
            self._sessions.session = requests.Session()
        session: requests.Session = self._sessions.session
        return session

    def _wait_for_turn(self) -> None:
        while (pause := self._closed_until - time.monotonic()) > 0:
            # jitter, so that the threads do not ask at once
            if self._stop.wait(pause + random.uniform(0, min(pause, 5.0))):
                raise Unavailable("stopped")

    def _close(self, pause: float, reason: str) -> None:
        with self._lock:
            until = time.monotonic() + pause
            if until > self._closed_until + TOLD_S and pause > TOLD_S:
                say(f"{reason} and asks for a pause: waiting for {pause:.0f} s")
            self._closed_until = max(self._closed_until, until)

    def _check(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status in (200, 206):
            return
        reason = f"the server answers {status} {answer.reason}"
        pause = retry_after(answer.headers.get("Retry-After", ""))
        if status in (429, 503) and pause is not None:
            if pause > LONGEST_PAUSE_S:
                raise GiveUp(f"{reason} and asks for a pause of {pause:.0f} s; try again later")
            self._close(pause, reason)
        raise Unavailable(reason, again=status in TRANSIENT)


def body(answer: requests.Response) -> Iterator[bytes]:
    """The bytes as they arrive. Unavailable if there are fewer than announced (urllib3 checks)."""
    try:
        while chunk := answer.raw.read1(CHUNK):
            yield chunk
    except urllib3.exceptions.ProtocolError as error:
        raise Unavailable(f"cut off: {_innermost(error)}", again=True) from error


def _innermost(error: BaseException) -> str:
    """The message of the system; the errors around it repeat the URL and each other."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__

"""HTTP as a guest behaves: named, bounded, patient where it is asked to be."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3
from tqdm import tqdm

from cli.upload.source import GiveUp, Unavailable
from clipsearch.text import printable

USER_AGENT = f"clipsearch (make coco; {requests.utils.default_user_agent()})"
TIMEOUT_S = (10.0, 30.0)  # to connect, and for the next bytes to come
LONGEST_PAUSE_S = 600.0  # a server that asks for more is left alone
TOLD_S = 5.0  # a longer pause is explained
PASSING = (408, 425, 429, 500, 502, 503, 504)
CHUNK = 1 << 16  # bytes, at most


class Client:
    """Used by several threads. When a server asks one of them to wait, all of them wait.

    `stop`, when set, ends every waiting."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._sessions = threading.local()  # a session of requests is for one thread
        self._lock = threading.Lock()
        self._closed_until = 0.0

    def download(self, url: str, most: int, seconds: float) -> bytes:
        """All bytes of the answer. Unavailable if they are more than `most`, not all came, or
        took more than `seconds`; GiveUp if the server wants to be left alone."""
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
        """The answer 200 or 206; Unavailable or GiveUp for any other, and for what goes wrong
        while it is read."""
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
            # not all of them in the same moment
            if self._stop.wait(pause + random.uniform(0, min(pause, 5.0))):
                raise Unavailable("stopped")

    def _close(self, pause: float, reason: str) -> None:
        with self._lock:
            until = time.monotonic() + pause
            if until > self._closed_until + TOLD_S and pause > TOLD_S:
                waiting = f"{reason}: waiting for {pause:.0f} s, as it asks"
                tqdm.write(printable(waiting), file=sys.stderr)
            self._closed_until = max(self._closed_until, until)

    def _check(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status in (200, 206):
            return
        reason = f"the server answers {status} {answer.reason}"
        pause = retry_after(answer.headers.get("Retry-After", ""))
        if status in (429, 503) and pause is not None:
            if pause > LONGEST_PAUSE_S:
                raise GiveUp(f"{reason} and asks to be left alone for {pause:.0f} s")
            self._close(pause, reason)
        raise Unavailable(reason, again=status in PASSING)


def body(answer: requests.Response) -> Iterator[bytes]:
    """The bytes as they come. Unavailable if they are fewer than the server has announced,
    which urllib3 finds out."""
    try:
        while chunk := answer.raw.read1(CHUNK):
            yield chunk
    except urllib3.exceptions.ProtocolError as error:
        raise Unavailable(f"cut off: {_innermost(error)}", again=True) from error


def retry_after(value: str) -> float | None:
    """Seconds from a Retry-After, which has a number of them or a date (RFC 9110, 10.2.3)."""
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _innermost(error: BaseException) -> str:
    """What the system said; the errors around it repeat the address and each other."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__

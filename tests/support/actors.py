"""Work on a bucket, one request at a time, under the control of the test.

Actors stand for processes. The test chooses the actor of each step, so it controls how they
interleave, down to a single request or a single page of a listing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from clipsearch.storage import Stat
from tests.support.buckets import Delegating
from tests.support.memory import MemoryBucket

PATIENCE_S = 60


class Killed(BaseException):
    """Raised by a request of a killed actor; the code under test never catches it."""


class Actor:
    """`work` in its own thread; it waits before each request until `step` lets it continue."""

    def __init__(self, bucket: MemoryBucket, work: Callable[[Any], Any]) -> None:
        self.started = bucket.now
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_done = False
        self._killed = False
        self._waiting = self._permits = self._busy = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(work, _Stepped(bucket, self)))
        self._thread.start()

    def step(self, requests: int = 1) -> bool:
        """Let `requests` requests pass; returns whether the work is done."""
        for _ in range(requests):
            with self._changed:
                self._wait_until_still()
                if self.is_done:
                    break
                self._permits += 1
                self._changed.notify_all()
                self._wait_for(lambda: not self._permits)
                self._wait_until_still()
        return self.is_done

    def finish(self) -> Any:
        """Let it run to its end; returns its result or raises its error."""
        while not self.step():
            pass
        self._thread.join()
        if self.error is not None:
            raise self.error
        return self.result

    def kill(self) -> None:
        with self._changed:
            self._killed = True
            self._changed.notify_all()
        self._thread.join(PATIENCE_S)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wraps one request."""
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._permits or self._killed)
            self._waiting -= 1
            if self._killed:
                raise Killed
            self._permits -= 1
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _wait_until_still(self) -> None:
        self._wait_for(lambda: self.is_done or (self._waiting and not self._busy))

    def _wait_for(self, condition: Callable[[], Any]) -> None:
        assert self._changed.wait_for(condition, PATIENCE_S), "an actor hangs"

    def _run(self, work: Callable[[Any], Any], bucket: _Stepped) -> None:
        try:
            self.result = work(bucket)
        except BaseException as error:
            self.error = error
        with self._changed:
            self.is_done = True
            self._changed.notify_all()


class _Stepped(Delegating):
    """The bucket of one actor."""

    def __init__(self, bucket: MemoryBucket, actor: Actor) -> None:
        super().__init__(bucket)
        self._memory, self._actor = bucket, actor

    def around(self, method: str, name: str, request: Callable[[], Any]) -> Any:
        with self._actor.passing():
            return request()

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        pages = self._memory.pages(prefix, start)
        while (page := self.around("list", prefix, lambda: next(pages, None))) is not None:
            yield from page

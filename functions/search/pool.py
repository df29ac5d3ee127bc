"""A bounded place for the heavy work, so that the event loop never waits for it."""

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TypeVar

from search.problems import Busy

T = TypeVar("T")


class Pool:
    """`workers` requests are worked on. Of those with a body `waiting` more are kept, of those
    without one `waiting_bodiless`; the next one is turned away.

    A request takes its place before its body is read: bodies are what fills the memory. What
    has none costs only the patience of who waits.
    """

    def __init__(self, workers: int, waiting: int, waiting_bodiless: int) -> None:
        self._places = BoundedSemaphore(workers + waiting)
        self._bodiless = BoundedSemaphore(workers + waiting_bodiless)
        # starts its threads on first use, which is after the fork
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="search")

    @contextmanager
    def place(self, has_body: bool) -> Iterator[None]:
        """Raises Busy when there is none."""
        places = self._places if has_body else self._bodiless
        if not places.acquire(blocking=False):
            raise Busy("too many requests are waiting already; try again in a moment")
        try:
            yield
        finally:
            places.release()

    async def run(self, function: Callable[[], T]) -> T:
        """`function()` in a thread, with this request's context (its id in the logs)."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, context.run, function)

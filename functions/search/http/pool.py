"""Threads for heavy work, so that it never blocks the event loop."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.requests import Request

from search.http.errors import Busy
from search.http.quota import Quota

T = TypeVar("T")

# Seconds from a request's arrival until its work starts, including its body. The work gets the
# rest of the function's 60 s.
MAX_WAIT = 40


class Pool:
    """Has `workers` threads, and room for at most `places` requests.

    A request counts while its body arrives, while it waits for a thread, and while it is
    processed. Further requests are rejected.
    """

    def __init__(self, name: str, workers: int, places: int) -> None:
        self._free_places = places
        self._workers = Quota(workers)
        # starts threads only on first use, which is after the fork
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"search-{name}")

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator["Place"]:
        """Raises Busy if no place is free, or if the work has not started after MAX_WAIT."""
        if not self._free_places:
            raise Busy("too many requests are waiting; try again in a moment")
        self._free_places -= 1
        try:
            async with asyncio.timeout(MAX_WAIT) as deadline:
                yield Place(request, self._workers, self._threads, deadline)
        except TimeoutError as error:
            if not deadline.expired():
                raise  # from the work itself
            raise Busy(
                f"too many requests: this one waited {MAX_WAIT} seconds; try again"
            ) from error
        finally:
            self._free_places += 1


class Place:
    def __init__(
        self,
        request: Request,
        workers: Quota,
        threads: ThreadPoolExecutor,
        deadline: asyncio.Timeout,
    ) -> None:
        self._request = request
        self._workers = workers
        self._threads = threads
        self._deadline = deadline

    async def run(self, function: Callable[[], T]) -> T:
        """Call `function` in a thread, with this request's context (its id in the logs).

        The request's body must have been read. Raises ClientDisconnect without calling
        `function` if the client disconnects before a thread is free.
        """
        gone = asyncio.ensure_future(_disconnected(self._request))
        try:
            async with self._workers.lent(gone=gone):
                gone.cancel()
                self._deadline.reschedule(None)
                context = contextvars.copy_context()
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, context.run, function)
        finally:
            gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

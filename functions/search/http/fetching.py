"""Pictures from URLs, fetched in threads of their own: a slow site delays no other search."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from search.fetch.errors import SiteTooSlow, UrlNotAllowed
from search.fetch.fetch import SECONDS, fetch
from search.http.quota import Quota

# Pictures from URLs in memory at once, while they arrive and while they are searched: 80 MB.
AT_ONCE = 4
# More than AT_ONCE, because a name server may hold a thread beyond the deadline.
THREADS = 2 * AT_ONCE
NOT_ALLOWED = (
    "url is not allowed: this deployment does not fetch pictures (CLIPSEARCH_FETCH_URLS=1 would "
    "allow it); post the picture as the field image"
)


class Fetching:
    def __init__(self) -> None:
        self._turns = Quota(AT_ONCE)
        # starts threads only on first use, which is after the fork
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="search-fetch")

    @asynccontextmanager
    async def picture(self, url: str, is_allowed: bool) -> AsyncIterator[bytes]:
        """Fetch the bytes at `url`. Their memory is reserved until the end of the context.

        Raises UrlNotAllowed, SiteFailed, SiteTooSlow, PhotoTooLarge.
        """
        if not is_allowed:
            raise UrlNotAllowed(NOT_ALLOWED)
        async with self._turns.lent():
            yield await self._fetched(url)

    async def _fetched(self, url: str) -> bytes:
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        fetched = loop.run_in_executor(self._threads, context.run, fetch, url)
        try:
            return await asyncio.wait_for(fetched, SECONDS)
        except TimeoutError as error:  # the name server
            raise SiteTooSlow(f"the site did not answer within {SECONDS:g} seconds") from error

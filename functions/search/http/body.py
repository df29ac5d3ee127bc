"""Reads request bodies: a few at a time, with a minimum rate and a limit on memory."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from search.http.errors import TooLarge, TooSlow
from search.http.quota import Quota

# Seconds. The largest picture needs 5.4 Mbit/s to arrive in time.
MAX_ARRIVAL = 30
# Seconds at the start in which a body may be slower than MIN_RATE (bytes per second).
GRACE = 3
MIN_RATE = 32_000
# Bodies read at once. The others wait in the network: the server buffers only 64 KiB of a body
# until the application reads on.
AT_ONCE = 8


class Arrivals:
    """Reads bodies of at most `largest` bytes.

    All bodies in memory, arriving or queued, have at most `memory` bytes together.
    """

    def __init__(self, largest: int, memory: int) -> None:
        self._largest = largest
        self._turns = Quota(AT_ONCE)
        self._memory = Quota(memory)

    @asynccontextmanager
    async def body(self, request: Request, too_large: str) -> AsyncIterator[io.BytesIO]:
        """Read the whole body. Its memory is reserved until the end of the context.

        Raises TooLarge with the message `too_large` as soon as the size is known, TooSlow, and
        ClientDisconnect.
        """
        expected = _length(request)
        if expected is not None and expected > self._largest:
            raise TooLarge(too_large)
        chunks = request.stream()
        # Before its turn, so that idle connections delay no other request.
        first = await _first(chunks)
        amount = self._largest if expected is None else expected
        async with self._turns.lent() as turn, self._memory.lent(amount) as memory:
            body = await _rest(first, chunks, self._largest, too_large)
            turn.shrink(0)
            memory.shrink(body.getbuffer().nbytes)
            yield body


def _length(request: Request) -> int | None:
    """Content-Length in bytes; None if the body is chunked or the header is missing."""
    if "transfer-encoding" in request.headers:
        return None
    length = request.headers.get("content-length")
    return None if length is None else int(length)


async def _first(chunks: AsyncGenerator[bytes, None]) -> bytes:
    try:
        async with asyncio.timeout(GRACE):
            return await anext(chunks)
    except TimeoutError as error:
        raise TooSlow(f"no byte of the body arrived within {GRACE} seconds") from error


async def _rest(
    first: bytes, chunks: AsyncGenerator[bytes, None], largest: int, too_large: str
) -> io.BytesIO:
    body = io.BytesIO(first)
    body.seek(0, io.SEEK_END)
    begin = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(None) as deadline:
            while True:
                # each byte extends the deadline
                patience = min(MAX_ARRIVAL, GRACE + body.tell() / MIN_RATE)
                deadline.reschedule(begin + patience)
                chunk = await anext(chunks, b"")
                if not chunk:
                    break
                body.write(chunk)
                if body.tell() > largest:
                    raise TooLarge(too_large)
    except TimeoutError as error:
        if patience == MAX_ARRIVAL:
            raise TooSlow(f"the body did not arrive within {MAX_ARRIVAL} seconds") from error
        raise TooSlow(
            f"the body arrives too slowly: {body.tell():,} bytes in {patience:.0f} seconds; "
            f"send at least {MIN_RATE // 1000} kB per second"
        ) from error
    body.seek(0)
    return body

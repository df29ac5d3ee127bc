"""Bodies in memory have a bound together; the others wait before they are read."""

import asyncio

import pytest
from starlette.requests import Request

from search.http.body import AT_ONCE, Arrivals
from search.http.errors import TooLarge
from tests.search.test_quota import settled

LARGEST = 1000


class Sender:
    """A request with a body of `size` bytes: the first at once, the rest when `sends` is set. It
    keeps its body until `done`."""

    def __init__(self, arrivals, size, headers=None):
        """`headers`: other ones than a Content-Length that is true."""
        self._left = [bytes(size - 1), b"a"]
        self.sends, self.done = asyncio.Event(), asyncio.Event()
        self.body = None
        if headers is None:
            headers = [(b"content-length", str(size).encode())]
        request = Request({"type": "http", "headers": headers}, self._receive)
        self.task = asyncio.create_task(self._send(arrivals, request))

    async def _receive(self):
        if len(self._left) == 1:
            await self.sends.wait()
        body = self._left.pop()
        return {"type": "http.request", "body": body, "more_body": bool(self._left)}

    async def _send(self, arrivals, request):
        async with arrivals.body(request, "too large") as body:
            self.body = body.getvalue()
            await self.done.wait()


async def senders(arrivals, count, size, **options):
    made = [Sender(arrivals, size, **options) for _ in range(count)]
    await settled()
    return made


def arrived(senders):
    return sum(sender.body is not None for sender in senders)


def test_bodies_in_memory_are_bounded_by_their_bytes_and_not_by_their_number():
    async def run():
        arrivals = Arrivals(LARGEST, 3000)
        large = await senders(arrivals, 5, 900)
        small = await senders(arrivals, 40, 10)
        for sender in large + small:
            sender.sends.set()
        await settled()
        assert (arrived(large), arrived(small)) == (3, 0)
        for sender in large[:2]:
            sender.done.set()
        for _ in range(20):
            await settled()
        # 2,700 bytes and all that fit beside them
        assert (arrived(large), arrived(small)) == (5, 30)
        for sender in large + small:
            sender.done.set()
        await asyncio.gather(*(sender.task for sender in large + small))
        assert all(len(sender.body) == 900 for sender in large)

    asyncio.run(run())


CHUNKED = (b"transfer-encoding", b"chunked")


# the server ignores a length beside "chunked"
@pytest.mark.parametrize("headers", [[], [CHUNKED], [CHUNKED, (b"content-length", b"1")]])
def test_a_body_of_unknown_length_counts_as_the_largest_until_it_has_arrived(headers):
    async def run():
        arrivals = Arrivals(LARGEST, LARGEST + 100)
        [unknown] = await senders(arrivals, 1, 10, headers=headers)
        [known] = await senders(arrivals, 1, 500)
        known.sends.set()
        await settled()
        assert known.body is None
        unknown.sends.set()
        await settled()
        assert unknown.body is not None
        assert known.body is not None
        for sender in (unknown, known):
            sender.done.set()
            await sender.task

    asyncio.run(run())


def test_few_bodies_are_read_at_once():
    async def run():
        arrivals = Arrivals(LARGEST, 100 * LARGEST)
        slow = await senders(arrivals, AT_ONCE, 100)
        [other] = await senders(arrivals, 1, 100)
        other.sends.set()
        await settled()
        assert other.body is None
        slow[0].sends.set()
        await settled()
        assert other.body is not None
        for sender in [*slow, other]:
            sender.sends.set()
            sender.done.set()
            await sender.task

    asyncio.run(run())


@pytest.mark.parametrize("headers", [None, [CHUNKED]])
def test_what_is_too_large_is_refused_and_gives_its_memory_back(headers):
    async def run():
        arrivals = Arrivals(LARGEST, LARGEST)
        too_large = Sender(arrivals, LARGEST + 1, headers)
        too_large.sends.set()
        with pytest.raises(TooLarge, match="too large"):
            await too_large.task
        [largest] = await senders(arrivals, 1, LARGEST)
        largest.sends.set()
        await settled()
        assert len(largest.body) == LARGEST
        largest.done.set()
        await largest.task

    asyncio.run(run())

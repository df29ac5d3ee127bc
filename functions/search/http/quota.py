"""A fixed number of units (threads, turns, bytes) that requests borrow in turn."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import ClientDisconnect


class Loan:
    def __init__(self, quota: "Quota", amount: int) -> None:
        self._quota = quota
        self.amount = amount

    def shrink(self, amount: int) -> None:
        """Gives back all but `amount` units, and those never grow again."""
        spare = max(0, self.amount - amount)
        self.amount -= spare
        self._quota._give_back(spare)


class Quota:
    """`size` units, lent in the order of asking: small requests never overtake a large one.

    For one event loop at a time. Nothing here is bound to a loop while nobody waits.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def lent(
        self, amount: int = 1, gone: "asyncio.Future[Any] | None" = None
    ) -> AsyncIterator[Loan]:
        """Waits for `amount` units; a request for more than `size` gets all of them.

        Raises ClientDisconnect if `gone` is done before its turn comes.
        """
        amount = min(amount, self.size)
        await self._wait(amount, gone)
        loan = Loan(self, amount)
        try:
            yield loan
        finally:
            self._give_back(loan.amount)

    async def _wait(self, amount: int, gone: "asyncio.Future[Any] | None") -> None:
        turn = asyncio.get_running_loop().create_future()
        entry = (amount, turn)
        self._waiting.append(entry)
        self._serve()
        watched = {turn} if gone is None else {turn, gone}
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if gone is not None and gone.done():
                raise ClientDisconnect
        except BaseException:
            if turn.done():
                self._give_back(amount)
            else:
                self._waiting.remove(entry)
                self._serve()  # those behind it may need less
            raise

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            amount, turn = self._waiting.popleft()
            self._free -= amount
            turn.set_result(None)

    def _give_back(self, amount: int) -> None:
        self._free += amount
        self._serve()

"""A fixed number of units (threads, turns, bytes) lent to requests, first come first served."""

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
        """Return all but `amount` units. A loan never grows again."""
        spare = max(0, self.amount - amount)
        self.amount -= spare
        self._quota._give_back(spare)


class Quota:
    """Lends `size` units in order of arrival: small requests never overtake a large one.

    Use it from one event loop at a time. It is bound to no loop while no request waits.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def lent(
        self, amount: int = 1, gone: "asyncio.Future[Any] | None" = None
    ) -> AsyncIterator[Loan]:
        """Wait for `amount` units. A request for more than `size` units gets all of them.

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
                self._serve()  # the next ones may need fewer units
            raise

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            amount, turn = self._waiting.popleft()
            self._free -= amount
            turn.set_result(None)

    def _give_back(self, amount: int) -> None:
        self._free += amount
        self._serve()

"""Requests borrow threads, turns and memory in the order in which they ask."""

import asyncio
import contextlib

import pytest
from starlette.requests import ClientDisconnect

from search.http.quota import Quota


class Borrower:
    """Asks for `amount` units and keeps them until `done`."""

    def __init__(self, quota, amount, gone=None):
        self.has_it = False
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._borrow(quota, amount, gone))

    async def _borrow(self, quota, amount, gone):
        async with quota.lent(amount, gone) as self.loan:
            self.has_it = True
            await self.done.wait()
        self.has_it = False


async def settled():
    """When every task has gone as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def borrowers(quota, *amounts):
    made = [Borrower(quota, amount) for amount in amounts]
    await settled()
    return made


async def end(*borrowers):
    for borrower in borrowers:
        borrower.done.set()
    await asyncio.gather(*(borrower.task for borrower in borrowers))
    await settled()


def test_a_small_one_waits_behind_a_large_one():
    async def run():
        first, large, small = await borrowers(Quota(10), 6, 8, 1)
        assert (first.has_it, large.has_it, small.has_it) == (True, False, False)
        await end(first)
        assert (large.has_it, small.has_it) == (True, True)
        await end(large, small)

    asyncio.run(run())


def test_one_that_asks_for_more_than_there_is_gets_all():
    async def run():
        quota = Quota(10)
        first, too_large = await borrowers(quota, 1, 25)
        assert not too_large.has_it
        await end(first)
        assert too_large.has_it
        assert too_large.loan.amount == 10
        await end(too_large)
        [again] = await borrowers(quota, 10)
        assert again.has_it
        await end(again)

    asyncio.run(run())


def test_what_is_given_back_early_is_lent_again():
    async def run():
        first, second = await borrowers(Quota(10), 10, 4)
        first.loan.shrink(7)
        await settled()
        assert not second.has_it
        first.loan.shrink(6)
        await settled()
        assert second.has_it
        await end(first, second)

    asyncio.run(run())


@pytest.mark.parametrize("ends", ["the client goes", "the task is cancelled"])
def test_one_that_gives_up_stops_no_other(ends):
    async def run():
        quota = Quota(10)
        [first] = await borrowers(quota, 6)
        gone = asyncio.get_running_loop().create_future()
        large = Borrower(quota, 8, gone)
        await settled()
        [small] = await borrowers(quota, 4)
        if ends == "the client goes":
            gone.set_result(None)
        else:
            large.task.cancel()
        with contextlib.suppress(ClientDisconnect, asyncio.CancelledError):
            await large.task
        await settled()
        assert not large.has_it
        assert small.has_it
        await end(first, small)
        [all_of_it] = await borrowers(quota, 10)
        assert all_of_it.has_it
        await end(all_of_it)

    asyncio.run(run())


def test_one_that_goes_just_when_its_turn_comes_gives_it_back():
    async def run():
        quota = Quota(1)
        [first] = await borrowers(quota, 1)
        gone = asyncio.get_running_loop().create_future()
        second = Borrower(quota, 1, gone)
        await settled()
        gone.set_result(None)
        await end(first)
        with pytest.raises(ClientDisconnect):
            await second.task
        [third] = await borrowers(quota, 1)
        assert third.has_it
        await end(third)

    asyncio.run(run())

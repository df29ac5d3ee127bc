"""Threads for storage requests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

REQUESTS_AT_ONCE = 8  # storage answers in tens of ms


@contextmanager
def request_pool(threads: int = REQUESTS_AT_ONCE) -> Iterator[ThreadPoolExecutor]:
    """A pool for storage requests. After an error it starts no more of them."""
    with ThreadPoolExecutor(threads, "clipsearch-photos") as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise

"""Token buckets: how many requests each client may send.

A bucket holds the requests of a minute. A request takes one token; tokens come back steadily. So
a client may send a minute's requests at once, and then as many as come back.
https://en.wikipedia.org/wiki/Token_bucket
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

MINUTE = 60.0


class Buckets:
    """A bucket for each client, for the `remembered` clients that asked last.

    Use it from one event loop: it has no lock. A forgotten client starts with a full bucket.
    """

    def __init__(
        self, per_minute: int, remembered: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = per_minute
        self._remembered = remembered
        self._now = now
        # By client: tokens, and the second in which they were counted; the last asked is last.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str) -> int:
        """Take a token and return 0; without one, the whole seconds until the next."""
        now = self._now()
        tokens, counted = self._buckets.get(client, (float(self._size), now))
        tokens = min(self._size, tokens + (now - counted) * self._size / MINUTE)
        # a rounding error must not refuse a client that waited as long as it was told
        is_allowed = tokens >= 1 - 1e-6
        self._buckets[client] = (max(0.0, tokens - 1) if is_allowed else tokens, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)
        return 0 if is_allowed else max(1, math.ceil((1 - tokens) * MINUTE / self._size))

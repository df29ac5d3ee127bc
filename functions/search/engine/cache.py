"""A cached value: made on first use, refreshed when it is old, by one thread for all."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from clipsearch.errors import ClipsearchError, Outdated

log = logging.getLogger("clipsearch")

T = TypeVar("T")

# Seconds. While there is no value, callers get the last failure for this long.
RETRY_EVERY = 1.0


class Fresh(Generic[T]):
    """Caches the result of `make`. Safe to use from several threads.

    `what` names the value in the log. `make` gets the present value, None at first. It is called
    at most once in `every` seconds. While one thread refreshes, the others wait `patience`
    seconds and then return the present value.
    """

    def __init__(
        self, what: str, make: Callable[[T | None], T], every: float, patience: float
    ) -> None:
        self._what, self._make, self._every, self._patience = what, make, every, patience
        self._lock = threading.Lock()
        self._failure: ClipsearchError | None = None
        self._tried = float("-inf")
        self.value: T | None = None

    def get(self) -> T:
        """Return the value: at most `every` seconds old, or older while refreshing fails.

        A stale value is better than no answer. If there is no value yet, this raises what `make`
        raises. Threads that waited for another thread share its result, also a failure: storage
        may take half a minute to give up, and these waits must not add up.
        """
        present = self.value
        if not self._lock.acquire(timeout=-1 if present is None else self._patience):
            assert present is not None
            return present
        try:
            every = RETRY_EVERY if self.value is None else self._every
            if time.monotonic() - self._tried >= every:
                self._try()
            if self.value is None:
                assert self._failure is not None
                raise self._failure
            return self.value
        finally:
            self._lock.release()

    def renew(self) -> None:
        """Refresh the value now, once for all threads that ask meanwhile. Waits for it."""
        old = self.value
        with self._lock:
            if self.value is old:
                self._try()

    def _try(self) -> None:
        # the time before reading: writes during the read may be missed
        now = time.monotonic()
        try:
            self.value = self._make(self.value)
            self._tried = now
        except ClipsearchError as error:
            self._failure, self._tried = error, time.monotonic()
            if isinstance(error, Outdated):
                self.value = None
            if self.value is not None:
                log.warning("could not refresh %s; the old one stays in use: %s", self._what, error)

"""A value kept fresh: made on first use, made anew when it is old, by one thread for all."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from clipsearch.errors import ClipsearchError

log = logging.getLogger("clipsearch")

T = TypeVar("T")

# As long as there is no value, a failure is everybody's answer for so many seconds.
RETRY_EVERY = 1.0


class Fresh(Generic[T]):
    """`what` is for the log. `make` gets the present value, None at first, and is called at
    most every `every` seconds; who finds another thread at it waits `patience` seconds before
    taking the present value."""

    def __init__(
        self, what: str, make: Callable[[T | None], T], every: float, patience: float
    ) -> None:
        self._what, self._make, self._every, self._patience = what, make, every, patience
        self._lock = threading.Lock()
        self._failure: ClipsearchError | None = None
        self._tried = float("-inf")
        self.value: T | None = None

    def get(self) -> T:
        """At most `every` seconds old, or older while it cannot be made anew: what is known
        stays true of some moments ago, which is better than no answer.

        As long as there is no value at all it raises what `make` raises. Who waited for
        another thread's attempt gets what came of it, a failure too: storage may take half a
        minute to give up, and that must not add up.
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

    def _try(self) -> None:
        # the time before reading: what is written meanwhile may not be seen
        now = time.monotonic()
        try:
            self.value = self._make(self.value)
            self._tried = now
        except ClipsearchError as error:
            self._failure, self._tried = error, time.monotonic()
            if self.value is not None:
                log.warning("%s stays as it was: %s", self._what, error)

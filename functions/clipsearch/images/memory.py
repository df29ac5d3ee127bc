"""How much memory there is, and a share of it that decoders of this process take in turn."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of the memory that the process may use. The rest is for the index, the model, and the files.
DECODERS_SHARE = 0.4
CGROUP = Path("/sys/fs/cgroup")
UNKNOWN = 2 << 30  # where nothing tells: as much as Terraform gives to `search`


def memory_limit() -> int:
    """Bytes that this process may use: the least of its container's limit, its own (ulimit -v)
    and the machine's memory."""
    found = [_cgroup_limit("memory.max"), _cgroup_limit("memory/memory.limit_in_bytes")]
    found += [_own_limit(), _physical()]
    return min((limit for limit in found if limit), default=UNKNOWN)


def _cgroup_limit(file: str) -> int | None:
    try:
        text = (CGROUP / file).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max": none


def _own_limit() -> int | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


class Budget:
    """`size` bytes, lent in the order in which they are asked for: a large picture is not passed
    for ever by small ones."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def lent(self, amount: int) -> Iterator[None]:
        """Waits until there are so many. Who asks for more than there is gets it all, alone."""
        amount = min(amount, self.size)
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._free >= amount)
                self._free -= amount
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


@functools.cache
def decoders_budget() -> Budget:
    """Of this process. Made on first use, which is after the fork."""
    return Budget(int(memory_limit() * DECODERS_SHARE))

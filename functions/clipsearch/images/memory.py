"""The memory limit of this process, and the share of it that decoders borrow in turn."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Share of the memory limit. The rest is for the index, the model and the files.
DECODERS_SHARE = 0.4
CGROUP = Path("/sys/fs/cgroup")
UNKNOWN = 2 << 30  # bytes if no limit is found; Terraform gives `search` the same


def memory_limit() -> int:
    """Return the bytes that this process may use.

    That is the lowest of the container's limit, the process's own (ulimit -v) and the machine's
    memory.
    """
    found = [_cgroup_limit("memory.max"), _cgroup_limit("memory/memory.limit_in_bytes")]
    found += [_own_limit(), _physical()]
    return min((limit for limit in found if limit), default=UNKNOWN)


def _cgroup_limit(file: str) -> int | None:
    try:
        text = (CGROUP / file).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # "max": no limit


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
    """Lends `size` bytes in order of arrival, so that small pictures never starve a large one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def lent(self, amount: int) -> Iterator[None]:
        """Wait for `amount` bytes. A request for more than `size` waits for all of them."""
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
    """Return this process's budget. Created on first use, which is after the fork."""
    return Budget(int(memory_limit() * DECODERS_SHARE))

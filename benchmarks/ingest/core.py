"""One core for this process, before other programs."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

PRIORITY = -15  # as `nice`; the core then works for others only while this process waits


def pin() -> bool:
    """Limit this process and its threads to one core; returns whether they go before others,
    which only root may ask for. The process must have a session of its own."""
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    try:
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        # Linux may share a core between sessions first, and then between their processes.
        with suppress(FileNotFoundError):
            Path("/proc/self/autogroup").write_text(str(PRIORITY))
    except PermissionError:
        return False
    return True


class Meter:
    """From now on: `wall`, and `cpu` of this process, in seconds."""

    def __init__(self) -> None:
        self._begin = time.monotonic(), time.process_time()

    def read(self) -> dict[str, float]:
        wall, cpu = self._begin
        return {"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu}

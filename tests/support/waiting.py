"""Waiting for a condition, on a machine that may be busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 180.0  # seconds


def wait_for(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"it did not happen: {what}"
        time.sleep(0.02)


def wait_for_a_tick(folder: Path) -> None:
    """Wait until a new file in `folder` gets a later time.

    The clock of a file system ticks about every 4 ms; some count whole seconds.
    """
    probe = folder / ".tick"
    probe.touch()
    before = probe.stat()

    def is_later() -> bool:
        probe.write_bytes(b"")
        now = probe.stat()
        return now.st_mtime_ns > before.st_mtime_ns and now.st_ctime_ns > before.st_ctime_ns

    wait_for(is_later, "the file system's clock ticks")
    probe.unlink()

"""Waiting for a condition, on a machine that may be busy with something else."""

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
    """Until the file system gives a later time to what is written into `folder`.

    Its clock ticks every 4 ms or so; some file systems count whole seconds.
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

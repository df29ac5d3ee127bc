"""How far a download is: a bar in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

LINE_EVERY = 5.0  # seconds


class Progress:
    """Of `total` bytes (0: not known), `done` are there already. Use it in a `with`."""

    def __init__(self, what: str, total: int, say: Callable[[str], None]) -> None:
        self._total = total
        self._done = 0
        self._begun_with = 0  # bytes that an earlier run has left; they say nothing of the rate
        self._start = time.monotonic()
        self._say = say
        self._next_line = self._start + LINE_EVERY
        self._bar = tqdm(
            desc=what,
            total=total or None,
            unit="B",
            unit_scale=True,
            file=sys.stdout,
            disable=not sys.stdout.isatty(),
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}B of {total_fmt}B, "
            "{rate_fmt}, {remaining} left",
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def found(self, count: int) -> None:
        """`count` bytes are there from before; less than 0 if they are none after all."""
        self._begun_with += count
        self._done += count
        if not self._bar.disable:
            self._bar.initial += count
            self._bar.n += count
            self._bar.refresh()

    def got(self, count: int) -> None:
        """`count` more bytes have come."""
        self._done += count
        self._bar.update(count)
        if self._bar.disable and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_EVERY
            self._say(self.line())

    def line(self) -> str:
        """Such as "120 of 605 MB, 24.0 MB/s, 0:20 left"."""
        rate = (self._done - self._begun_with) / max(time.monotonic() - self._start, 1e-6)
        if not self._total:
            return f"{self._done / 1e6:.0f} MB, {rate / 1e6:.1f} MB/s"
        left = (self._total - self._done) / rate if rate else float("inf")
        remaining = tqdm.format_interval(left) if rate else "?"
        return (
            f"{self._done / 1e6:.0f} of {self._total / 1e6:.0f} MB, {rate / 1e6:.1f} MB/s, "
            f"{remaining} left"
        )

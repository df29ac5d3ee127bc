"""How far a command is: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from tqdm import tqdm

from cli.common.output import is_quiet, say

LINE_EVERY_S = 30.0  # where nobody sees a bar, such as in a log file


def bar(
    what: str,
    items: Iterable[Any] | None = None,
    *,
    total: int | None = None,
    unit: str = "photos",
    done: int = 0,
    **more: Any,
) -> tqdm[Any]:
    """A bar with rate and time left, for a `with` statement or around `items`.

    `total`: how many there are, None if unknown. `done`: how many were done before. `more`: of
    tqdm. Nothing is shown with --quiet, or if there is nothing to do.
    """
    if total is None and isinstance(items, Sequence):
        total = len(items)
    is_nothing = total is not None and total <= done
    kind = tqdm if sys.stderr.isatty() else _Lines
    return kind(
        items,
        desc=what,
        total=total,
        unit=unit if "unit_scale" in more else f" {unit}",
        initial=done,
        disable=is_quiet() or is_nothing,
        **more,
    )


class _Lines(tqdm):  # type: ignore[misc]
    """A tqdm that says a line every LINE_EVERY_S, and none at its end."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._next_line = time.monotonic() + LINE_EVERY_S
        super().__init__(*arguments, **more, gui=True)  # gui: tqdm itself draws nothing

    def refresh(self, *_: Any, **__: Any) -> None:
        """tqdm calls this after updates, and after each line that `say` prints."""
        if time.monotonic() >= self._next_line:
            self._next_line = math.inf  # `say` refreshes, too
            say(_line(self.format_dict))
            self._next_line = time.monotonic() + LINE_EVERY_S

    def clear(self, *_: Any, **__: Any) -> None:
        """There is no bar to clear."""


def _line(figures: dict[str, Any]) -> str:
    """Such as "indexing: 120 of 500 photos, 35.1 photos/s, 00:10 left"."""
    rate = figures["rate"] or figures["n"] / max(figures["elapsed"], 1e-9)
    total = figures["total"]
    left = tqdm.format_interval((total - figures["n"]) / rate) if total and rate else "?"
    amount = "{n_fmt} of {total_fmt}{unit}" if total else "{n_fmt}{unit}"
    line: str = tqdm.format_meter(
        **{**figures, "bar_format": f"{{desc}}: {amount}, {{rate_fmt}}, {left} left"}
    )
    return line

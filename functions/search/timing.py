"""How long the parts of an answer took, for the answer itself and for Server-Timing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

PHASES = ("load", "encode", "search")


class Timing:
    """Starts when it is made; milliseconds."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._phases = dict.fromkeys(PHASES, 0.0)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._phases[name] += time.perf_counter() - start

    def milliseconds(self) -> dict[str, float]:
        """The phases, and `total` since the start: with what lies between them, too, as reading
        the request and waiting for a thread."""
        total = time.perf_counter() - self._start
        return {name: round(1000 * s, 2) for name, s in (self._phases | {"total": total}).items()}


def server_timing(milliseconds: dict[str, float]) -> str:
    return ", ".join(f"{name};dur={value}" for name, value in milliseconds.items())

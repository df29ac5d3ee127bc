"""How long the parts of some work took."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Timing:
    """Starts when it is made; milliseconds. One thread at a time may be in a phase."""

    def __init__(self, phases: Sequence[str]) -> None:
        self._start = time.perf_counter()
        self._phases = dict.fromkeys(phases, 0.0)

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

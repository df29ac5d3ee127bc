"""Threads that work on tasks until all are done, or until they are asked to stop."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

ENDING_S = 20.0  # for tasks in progress when asked to stop
LOOK_S = 0.2  # between two looks at `stop`


class Workers(Generic[Task, Result]):
    """`number` threads that call `work` for each of `tasks` until `stop` is set.

    They are daemons, so a hanging task does not keep the process alive.
    """

    def __init__(
        self,
        work: Callable[[Task], Result],
        tasks: Iterable[Task],
        number: int,
        stop: threading.Event,
    ) -> None:
        self._work, self._stop = work, stop
        self._tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result | Exception | None] = queue.SimpleQueue()
        for task in tasks:
            self._tasks.put(task)
        self._running = number
        for _ in range(number):
            threading.Thread(target=self._run, daemon=True).start()

    def results(self) -> Iterator[Result]:
        """The results in the order of completion. Raises an error that `work` raised."""
        give_up: float | None = None
        while self._running:
            if self._stop.is_set() and give_up is None:
                give_up = time.monotonic() + ENDING_S
            try:
                result = self._results.get(timeout=LOOK_S)
            except queue.Empty:
                if give_up is not None and time.monotonic() > give_up:
                    return
                continue
            if result is None:
                self._running -= 1
            elif isinstance(result, Exception):
                self._stop.set()
                raise result
            else:
                yield result

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            try:
                self._results.put(self._work(task))
            except Exception as error:
                self._results.put(error)
        self._results.put(None)

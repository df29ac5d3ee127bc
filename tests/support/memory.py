"""A bucket in memory, with a clock that the test sets."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clipsearch.errors import ObjectExists, ObjectNotFound, ObjectTooLarge
from clipsearch.storage import Stat, check_name, check_range

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class MemoryBucket:
    """Implements Bucket. Each method is one atomic step, and a listing is one step per page."""

    page = 1000

    def __init__(self, now: datetime = START) -> None:
        self.url = "memory://bucket"
        self.now = now
        self.objects: dict[str, tuple[bytes, Stat]] = {}
        self._lock = threading.RLock()
        self._generations = itertools.count(1)

    def later(self, time: timedelta) -> None:
        self.now += time

    def names(self, prefix: str = "") -> list[str]:
        return sorted(name for name in list(self.objects) if name.startswith(prefix))

    def create(
        self,
        name: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        check_name(name)
        with self._lock:
            if name not in self.objects:
                return self._put(name, data, content_type)
            there, stat = self.objects[name]
            if there != data:
                raise ObjectExists(name)
            return stat

    def replace(
        self,
        name: str,
        generation: int,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        with self._lock:
            there, stat = self._found(name)
            if stat.generation == generation:
                return self._put(name, data, content_type)
            if there != data:
                raise ObjectNotFound(name, generation)
            return stat

    def read(
        self,
        name: str,
        generation: int | None = None,
        start: int = 0,
        most: int | None = None,
        end: int | None = None,
    ) -> bytes:
        check_range(start, end)
        data, stat = self._found(name)
        if generation not in (None, stat.generation):
            raise ObjectNotFound(name, generation)
        data = data[start:end]
        if most is not None and len(data) > most:
            raise ObjectTooLarge(name, most)
        return data

    def read_into(self, name: str, buffer: memoryview) -> int:
        data, _ = self._found(name)
        size = min(len(data), len(buffer))
        buffer[:size] = data[:size]
        return size

    def download(self, name: str, path: Path) -> None:
        path.write_bytes(self.read(name))

    def stat(self, name: str) -> Stat:
        return self._found(name)[1]

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        for page in self.pages(prefix, start):
            yield from page

    def pages(self, prefix: str = "", start: str = "") -> Iterator[Sequence[Stat]]:
        """The result of `list`, with each page as it is at the time of its request."""
        after = ""
        while True:
            with self._lock:
                names = [n for n in self.names(prefix) if n >= start and n > after][: self.page]
                stats = [self.objects[name][1] for name in names]
            yield stats
            if len(names) < self.page:
                return
            after = names[-1]

    def delete(self, name: str, generation: int | None = None) -> None:
        with self._lock:
            if name in self.objects and generation in (None, self.objects[name][1].generation):
                del self.objects[name]

    def _put(self, name: str, data: bytes, content_type: str) -> Stat:
        stat = Stat(name, next(self._generations), len(data), content_type, self.now)
        self.objects[name] = data, stat
        return stat

    def _found(self, name: str) -> tuple[bytes, Stat]:
        check_name(name)
        with self._lock:
            if name not in self.objects:
                raise ObjectNotFound(name)
            return self.objects[name]

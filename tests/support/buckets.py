"""Buckets around another bucket that wait, fail, or run code between two requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clipsearch.errors import ObjectNotFound, StorageError
from clipsearch.storage import Bucket, Stat

Hook = Callable[[str, str], object]


def nothing(method: str, name: str) -> None:
    pass


class Delegating:
    """Passes every request to `bucket` through `around`: override that, or one method."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.url = bucket, bucket.url

    def around(self, method: str, name: str, request: Callable[[], Any]) -> Any:
        """`method` is a method of Bucket; `name` is an object's name or a listing's prefix."""
        return request()

    def create(self, name: str, *args: Any, **more: Any) -> Stat:
        return self.around("create", name, lambda: self.bucket.create(name, *args, **more))

    def replace(self, name: str, *args: Any, **more: Any) -> Stat:
        return self.around("replace", name, lambda: self.bucket.replace(name, *args, **more))

    def read(self, name: str, *args: Any, **more: Any) -> bytes:
        return self.around("read", name, lambda: self.bucket.read(name, *args, **more))

    def read_into(self, name: str, buffer: memoryview) -> int:
        return self.around("read_into", name, lambda: self.bucket.read_into(name, buffer))

    def download(self, name: str, path: Path) -> None:
        self.around("download", name, lambda: self.bucket.download(name, path))

    def stat(self, name: str) -> Stat:
        return self.around("stat", name, lambda: self.bucket.stat(name))

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        """A listing in one request, which starts with the first object."""
        yield from self.around("list", prefix, lambda: [*self.bucket.list(prefix, start)])

    def delete(self, name: str, *args: Any, **more: Any) -> None:
        self.around("delete", name, lambda: self.bucket.delete(name, *args, **more))


class HookedBucket(Delegating):
    """Calls `before` and `after` around each request, with `method` and `name`."""

    def __init__(self, bucket: Bucket, before: Hook = nothing, after: Hook = nothing) -> None:
        super().__init__(bucket)
        self._before, self._after = before, after

    def around(self, method: str, name: str, request: Callable[[], Any]) -> Any:
        self._before(method, name)
        result = request()
        self._after(method, name)
        return result


class FaultyBucket(Delegating):
    """A share of the requests fails, before or after it took effect.

    With `lies`, a read may also return half an object, or miss an existing one. The real storage
    does neither, because its client verifies checksums and its listings are consistent. But a
    checksum does not protect from other writers.
    """

    def __init__(self, bucket: Bucket, seed: int, share: float = 0.1, lies: bool = True) -> None:
        super().__init__(bucket)
        self.share, self.lies = share, lies
        self._chance = random.Random(seed)

    def around(self, method: str, name: str, request: Callable[[], Any]) -> Any:
        self._may_fail("503 before", name)
        result = request()
        if method in ("create", "replace", "delete"):
            self._may_fail("timeout after", name)
        if method == "read" and self.lies and self._happens():
            if self._chance.random() < 0.5:
                raise ObjectNotFound(name)
            return result[: self._chance.randrange(len(result))]
        return result

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        for stat in self.bucket.list(prefix, start):
            if self._chance.random() < self.share / 10:
                raise StorageError("503 on the next page")
            yield stat

    def _happens(self) -> bool:
        return self._chance.random() < self.share

    def _may_fail(self, what: str, name: str) -> None:
        if self._happens():
            raise StorageError(f"{what}: {name}")

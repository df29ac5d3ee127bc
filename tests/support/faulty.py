"""A bucket in which things go wrong: what a network and a storage can do to a request."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from clipsearch.errors import ObjectNotFound, StorageError
from clipsearch.storage import Bucket, Stat


class FaultyBucket:
    """Another bucket; a share of the requests fails, before or after they took effect.

    `lies`: reading may also give half an object, or none where there is one. The real storage
    does neither: its client checks sums, and its listings are consistent. Of what is written
    by others, a checksum says nothing.
    """

    def __init__(self, bucket: Bucket, seed: int, share: float = 0.1, lies: bool = True) -> None:
        self.url = bucket.url
        self.share, self.lies = share, lies
        self._bucket, self._chance = bucket, random.Random(seed)

    def create(
        self,
        name: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
    ) -> Stat:
        self._may_fail("503 before", name)
        stat = self._bucket.create(name, data, content_type, cache_control)
        self._may_fail("timeout after", name)
        return stat

    def read(
        self,
        name: str,
        generation: int | None = None,
        start: int = 0,
        most: int | None = None,
    ) -> bytes:
        self._may_fail("429", name)
        data = self._bucket.read(name, generation, start, most)
        if self.lies and self._happens():
            if self._chance.random() < 0.5:
                raise ObjectNotFound(name)
            return data[: self._chance.randrange(len(data))]
        return data

    def read_into(self, name: str, buffer: memoryview) -> int:
        self._may_fail("429", name)
        return self._bucket.read_into(name, buffer)

    def download(self, name: str, path: Path) -> None:
        path.write_bytes(self.read(name))

    def stat(self, name: str) -> Stat:
        self._may_fail("503", name)
        return self._bucket.stat(name)

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        for stat in self._bucket.list(prefix, start):
            if self._chance.random() < self.share / 10:
                raise StorageError("503 on the next page")
            yield stat

    def delete(self, name: str, generation: int | None = None) -> None:
        self._may_fail("503 before", name)
        self._bucket.delete(name, generation)
        self._may_fail("timeout after", name)

    def _happens(self) -> bool:
        return self._chance.random() < self.share

    def _may_fail(self, what: str, name: str) -> None:
        if self._happens():
            raise StorageError(f"{what}: {name}")

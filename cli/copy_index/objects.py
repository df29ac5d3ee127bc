"""Copies single objects, each with a check of its content."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from cli.common.errors import RunError
from cli.common.output import warn
from clipsearch.errors import (
    DamagedObject,
    ObjectExists,
    ObjectNotFound,
    ObjectUnreadable,
    UnknownFormat,
)
from clipsearch.storage import Bucket, Stat
from clipsearch.storage.checksum import crc32c

# Raises DamagedObject or UnknownFormat for wrong bytes.
Check = Callable[[bytes], object]


@dataclass(slots=True)
class Done:
    """What a run did. `damaged`: "object: reason" of each object of the source left out."""

    copied: int = 0
    bytes: int = 0
    present: int = 0
    damaged: list[str] = field(default_factory=list)


class Copier:
    """Copies from `source` to `target`. Thread-safe."""

    def __init__(self, source: Bucket, target: Bucket) -> None:
        self.source, self.target = source, target
        self.done = Done()
        self._lock = threading.Lock()

    def copy(self, stat: Stat, there: Stat | None, check: Check) -> bool:
        """Copy an object of the source. False if it is damaged, which is said and counted.

        `there`: what the target has of this name. Raises ObjectNotFound if the source no longer
        has it, UnknownFormat, StorageError, and RunError if the target has other content.
        """
        if there is not None and self._is_equal(stat, there):
            with self._lock:
                self.done.present += 1
            return True
        try:
            data = self._checked(self.source, stat.name, check)
        except UnknownFormat:
            raise
        except (DamagedObject, ObjectUnreadable) as problem:
            if there is not None and self._is_sound(stat.name, check):
                self.report(stat.name, f"{problem.reason}; the copy keeps the sound one it has")
                return True
            self.report(stat.name, problem.reason)
            return False
        try:
            written = self.target.create(stat.name, data, stat.content_type or _BYTES)
        except ObjectExists as error:
            raise RunError(
                f"{stat.name} in {self.target.url} differs from that in {self.source.url}; if it "
                "is damaged, delete it there and repeat; else copy to an empty place"
            ) from error
        if written.size != len(data) or written.crc32c not in (None, crc32c(data)):
            raise RunError(f"{stat.name} arrived damaged in {self.target.url}; delete it, repeat")
        with self._lock:
            self.done.copied += 1
            self.done.bytes += len(data)
        return True

    def report(self, name: str, reason: str) -> None:
        """Say that an object of the source is damaged."""
        line = f"{name}: {reason}"
        with self._lock:
            if line in self.done.damaged:
                return
            self.done.damaged.append(line)
        warn(f"damaged in {self.source.url}: {line}")

    def _is_equal(self, stat: Stat, there: Stat) -> bool:
        """By checksum. In a folder it takes a read, in Cloud Storage none."""
        if stat.size != there.size:
            return False
        mine = _sum(self.source, stat)
        try:
            return mine == _sum(self.target, there)
        except ObjectNotFound:  # the copy's own compaction deleted it
            return False

    def _is_sound(self, name: str, check: Check) -> bool:
        try:
            self._checked(self.target, name, check)
        except (DamagedObject, ObjectUnreadable, ObjectNotFound):
            return False
        return True

    @staticmethod
    def _checked(bucket: Bucket, name: str, check: Check) -> bytes:
        data = bucket.read(name)
        check(data)
        return data


_BYTES = "application/octet-stream"


def _sum(bucket: Bucket, stat: Stat) -> str:
    return stat.crc32c or crc32c(bucket.read(stat.name))

"""What the embedding process and the process that started it tell each other, as pickles."""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import IO, Any

from ingest.indexing import Result

_SIZE = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Ready:
    """The encoder is loaded."""


@dataclass(frozen=True, slots=True)
class Done:
    """`segments`: their bytes, not written yet."""

    results: list[Result]
    segments: list[bytes]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something failed that passes, such as the storage, or must be repaired."""

    reason: str


@dataclass(frozen=True, slots=True)
class Surprise:
    """An error that nobody foresaw, by its name."""

    name: str
    text: str


Answer = Ready | Done | Fault | Surprise


def send(stream: IO[bytes], what: object) -> None:
    data = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    stream.write(_SIZE.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """EOFError if the other process has ended."""
    (size,) = _SIZE.unpack(_read(stream, _SIZE.size))
    return pickle.loads(_read(stream, size))


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the other process has ended")
    return data

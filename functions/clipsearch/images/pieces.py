"""Joins pieces of bytes as one file for decoders, with a time limit."""

from __future__ import annotations

import io
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from clipsearch.errors import UnreadablePhoto

# CPU time of the decoding thread, so that a busy machine rejects no photo. The largest photo takes
# one second; only a malicious file takes longer than this.
DECODING_SECONDS = 10.0


def as_file(*pieces: bytes | memoryview) -> Any:
    """Return a file object for decoders. Typed Any, because their stubs want a real file."""
    return _Pieces(pieces)


class _Pieces(io.RawIOBase):
    """Reads the pieces one after another, without a copy of the whole.

    Raises UnreadablePhoto once this thread has used DECODING_SECONDS of CPU time. That stops
    Pillow's decoders that read in small steps.
    """

    def __init__(self, pieces: Sequence[bytes | memoryview]) -> None:
        self._pieces = [memoryview(piece) for piece in pieces if piece]
        *self._starts, self._size = accumulate(map(len, self._pieces), initial=0)
        self._position = 0
        self._began = time.thread_time()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        if time.thread_time() - self._began > DECODING_SECONDS:
            raise UnreadablePhoto(f"decoding takes longer than {DECODING_SECONDS:.0f} seconds")
        end = self._size if size is None or size < 0 else min(self._size, self._position + size)
        found = []
        while self._position < end:
            number = bisect_right(self._starts, self._position) - 1
            inside = self._position - self._starts[number]
            part = self._pieces[number][inside : inside + end - self._position]
            found.append(part)
            self._position += len(part)
        return b"".join(found)

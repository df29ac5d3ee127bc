"""Names in compressed blocks, as readers keep them: 3 to 6 bytes a name if neighbours are alike.

Cameras number their photos, so most of a block repeats. Blocks of random names stay as they are:
they would shrink by half only, and take five times as long to read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

SIZE = 64  # names of a block. One takes 3 to 5 µs to read: a page of 24 hits needs 24
SPAN = 1024 * SIZE  # names that are read at once by those who need all
GROUP = 16  # blocks that are compressed if the first of them is worth it
WORTH = 3  # times shorter, at least
LEVEL = 1  # of zlib; 6 saves 4 % and takes 1.4 times as long
END = b"\xff"  # after each name, and before blocks that are not compressed; never in UTF-8


@dataclass(frozen=True, slots=True, eq=False)
class NameBlocks:
    """n names; `blocks` of SIZE each, the last one with the rest. It never changes."""

    blocks: tuple[bytes, ...] = ()
    count: int = 0

    def __len__(self) -> int:
        return self.count

    def extended(self, packed: Bytes, ends: Rows) -> NameBlocks:
        """With more names: their concatenated UTF-8, and where each ends. Copies no full block."""
        full = self.count // SIZE
        if self.count % SIZE:
            last = np.frombuffer(_read(self.blocks[full]), np.uint8)
            packed, ends = _joined(*_without_ends(last), packed, ends)
        made = [
            block
            for begin in range(0, len(ends), SPAN)
            for block in _blocks(packed, ends, begin, min(begin + SPAN, len(ends)))
        ]
        return NameBlocks((*self.blocks[:full], *made), full * SIZE + len(ends))

    def text(self, row: int) -> str:
        return _name(_read(self.blocks[row // SIZE]), row)

    def texts(self, rows: Rows) -> list[str]:
        """Those at `rows` (m,), in order."""
        numbers = (rows // SIZE).tolist()
        blocks = {number: _read(self.blocks[number]) for number in dict.fromkeys(numbers)}
        return [_name(blocks[n], row) for n, row in zip(numbers, rows.tolist(), strict=True)]

    @property
    def spans(self) -> int:
        """How many spans there are."""
        return -(-self.count // SPAN)

    def span(self, number: int) -> tuple[Bytes, Rows]:
        """The names from row `number` * SPAN on, SPAN of them or the rest: UTF-8, and its ends."""
        first = number * (SPAN // SIZE)
        text = b"".join(map(_read, self.blocks[first : first + SPAN // SIZE]))
        return _without_ends(np.frombuffer(text, np.uint8))


def _blocks(packed: Bytes, ends: Rows, first: int, last: int) -> Iterator[bytes]:
    """The blocks of the names from `first` to `last`."""
    begin = int(ends[first - 1]) if first else 0
    its = ends[first:last] - begin
    text = np.insert(packed[begin : begin + its[-1]], its, END[0]).tobytes()
    cuts = [0, *(its + np.arange(1, len(its) + 1))[SIZE - 1 :: SIZE].tolist()]
    if len(its) % SIZE:
        cuts.append(len(text))
    is_worth = False
    for place, (left, right) in enumerate(pairwise(cuts)):
        block = text[left:right]
        if is_worth or place % GROUP == 0:
            squeezed = zlib.compress(block, LEVEL)
            is_worth = WORTH * len(squeezed) < len(block)
        yield squeezed if is_worth else END + block


def _read(block: bytes) -> bytes:
    """The names of a block, each with END."""
    return block[1:] if block.startswith(END) else zlib.decompress(block)


def _name(block: bytes, row: int) -> str:
    place = row % SIZE
    return block.split(END, place + 1)[place].decode()


def _without_ends(text: Bytes) -> tuple[Bytes, Rows]:
    """The names without END, and where each ends."""
    is_end = text == END[0]
    ends = np.flatnonzero(is_end)
    return text[~is_end], ends - np.arange(len(ends))


def _joined(packed: Bytes, ends: Rows, more: Bytes, more_ends: Rows) -> tuple[Bytes, Rows]:
    return np.concatenate([packed, more]), np.concatenate([ends, more_ends + len(packed)])

"""Comparisons of many names at once, eight bytes at a time.

UTF-8 sorts like the characters of a string in Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.packed_texts import unpack

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

WORD = 8  # bytes


class Names:
    """n names: their concatenated UTF-8, and where each one ends."""

    def __init__(self, packed: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> None:
        if len(packed) < WORD:
            packed = np.pad(packed, (0, WORD - len(packed)))
        self.packed, self.ends = np.ascontiguousarray(packed), ends
        # A word that begins at each byte but the last seven: not aligned, not a copy.
        self._words: Any = np.ndarray(
            len(packed) - WORD + 1, ">u8", buffer=self.packed, strides=(1,)
        )

    def text(self, row: int) -> str:
        return unpack(self.packed, self.ends, row)

    def lengths(self, rows: Rows) -> Rows:
        """(m,) in bytes."""
        return self.ends[rows] - self._begins(rows)

    def beginning_with(self, prefix: str) -> Mask:
        """(n,) which names begin with `prefix`."""
        wanted = prefix.encode()
        rows = np.flatnonzero(np.diff(self.ends, prepend=0) >= len(wanted))
        for begin in range(0, len(wanted), WORD):
            part = wanted[begin : begin + WORD]
            unused = np.uint64(8 * (WORD - len(part)))
            words = self._words_at(self._begins(rows) + begin) >> unused
            rows = rows[words == np.uint64(int.from_bytes(part, "big"))]
        mask = np.zeros(len(self.ends), bool)
        mask[rows] = True
        return mask

    def equal_to(self, name: str) -> Mask:
        """(n,) which names are `name`."""
        mask = self.beginning_with(name)
        mask &= np.diff(self.ends, prepend=0) == len(name.encode())
        return mask

    def behind(self, rows: Rows, name: str) -> Mask:
        """(m,) which of the names at `rows` (m,) come after `name`."""
        other = name.encode()
        result = np.zeros(len(rows), bool)
        equal = np.arange(len(rows))
        for begin in range(0, len(other), WORD):
            word = int.from_bytes(other[begin : begin + WORD].ljust(WORD, b"\0"), "big")
            words = self.words(rows[equal], begin)
            result[equal[words > np.uint64(word)]] = True
            equal = equal[words == np.uint64(word)]
        result[equal] = self.lengths(rows[equal]) > len(
            other
        )  # a zero byte at the end counts as well
        return result

    def first(self, rows: Rows, count: int) -> Rows:
        """(c,) the places in `rows` (m,) of the c = min(count, m) first names, in any order."""
        chosen = [np.zeros(0, np.int64)]
        places = np.arange(len(rows))
        for begin in range(0, int(self.lengths(rows).max(initial=0)), WORD):
            if len(places) <= count:
                break
            words = self.words(rows[places], begin)
            last = np.partition(words, count - 1)[count - 1]
            chosen.append(places[words < last])
            count -= len(chosen[-1])
            places = places[words == last]
        if len(places) > count:  # they differ in zero bytes at the end only
            places = places[np.argsort(self.lengths(rows[places]))]
        return np.concatenate([*chosen, places[:count]])

    def words(self, rows: Rows, begin: int) -> Words:
        """(m,) the bytes of each name from `begin` on; zeros after its end."""
        at = self._begins(rows) + begin
        left = np.clip(self.ends[rows] - at, 0, WORD)
        unused = (8 * (WORD - left)).astype(np.uint64)
        return np.where(left > 0, self._words_at(at) >> unused << unused, np.uint64(0))

    def _begins(self, rows: Rows) -> Rows:
        return np.where(rows > 0, self.ends[rows - 1], 0)

    def _words_at(self, at: Rows) -> Words:
        """(m,) the eight bytes from each place on; anything after the end of the last name."""
        inside = np.minimum(at, len(self._words) - 1)
        words: Words = self._words[inside].astype(np.uint64)
        return words << (8 * np.minimum(at - inside, WORD - 1)).astype(np.uint64)

"""Finds a part of a name, in any case, in many names at once."""

from __future__ import annotations

import unicodedata
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.packed_texts import take_packed
from clipsearch.index.search.names import Mask, Names, Rows

Bytes = npt.NDArray[np.uint8]

FIRST_OF_OTHERS = 0x80  # bytes from here on are not ASCII
SEPARATOR, OTHER = "\0", "\1"  # OTHER: in place of a SEPARATOR in a name


def folded(text: str) -> str:
    """Equal for texts that differ only in case or in how accents are encoded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


class NameSearch:
    """Names in ASCII are searched as they are. Of others, folded copies are searched."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def containing(self, text: str) -> Mask:
        """(n,) which names contain `text`."""
        wanted = folded(text)
        mask = np.zeros(len(self.names.ends), bool)
        if wanted.isascii():
            mask[_rows_with(self.names.packed, self.names.ends, wanted.encode())] = True
        rows, packed, ends = self._others
        mask[rows] = False
        mask[rows[_rows_with(packed, ends, wanted.replace(SEPARATOR, OTHER).encode())]] = True
        return mask

    @cached_property
    def _others(self) -> tuple[Rows, Bytes, Rows]:
        """The rows of the names that are not in ASCII; these names, folded; where each ends.

        They are folded as one text, in a third of the time. Each ends with SEPARATOR.
        """
        names = self.names
        used = names.packed[: names.ends.max(initial=0)]
        is_other = np.zeros(len(names.ends), bool)
        at = np.flatnonzero(used >= FIRST_OF_OTHERS)
        is_other[np.searchsorted(names.ends, at, side="right")] = True
        packed, ends = take_packed(used, names.ends, is_other)
        packed[packed == ord(SEPARATOR)] = ord(OTHER)
        text = np.insert(packed, ends, ord(SEPARATOR)).tobytes().decode()
        result = np.frombuffer(folded(text).encode(), np.uint8)
        return np.flatnonzero(is_other), result, np.flatnonzero(result == ord(SEPARATOR)) + 1


def _rows_with(packed: Bytes, ends: Rows, wanted: bytes) -> Rows:
    """The rows of the texts that contain `wanted`, which is in lower case. Ignores ASCII's case."""
    if not len(ends) or len(wanted) > len(packed):
        return np.zeros(0, np.int64)
    begins = np.flatnonzero(_is(packed[: len(packed) - len(wanted) + 1], wanted[0]))
    for offset in range(1, len(wanted)):
        begins = begins[_is(packed[begins + offset], wanted[offset])]
    rows = np.searchsorted(ends, begins, side="right")
    inside = rows < len(ends)  # the names may be padded
    rows, begins = rows[inside], begins[inside]
    return rows[begins + len(wanted) <= ends[rows]]


def _is(found: Bytes, wanted: int) -> Mask:
    is_letter = chr(wanted).islower() and wanted < FIRST_OF_OTHERS
    return np.asarray((found | 0x20 if is_letter else found) == wanted)

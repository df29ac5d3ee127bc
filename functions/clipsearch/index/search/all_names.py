"""The names of all photos, which readers keep compressed (reader/name_blocks.py).

Searches through all of them read a span at a time, and keep spans for the next search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from clipsearch.index.format.packed_texts import pack
from clipsearch.index.reader.name_blocks import SPAN, NameBlocks
from clipsearch.index.search.kept import Kept
from clipsearch.index.search.name_search import NameSearch
from clipsearch.index.search.names import Mask, Names, Rows

FEW = 512  # names that are looked up one by one, in the time of reading a span


class AllNames:
    """n names."""

    def __init__(self, blocks: NameBlocks, kept: Kept) -> None:
        """`kept`: for spans of these names, and of longer lists that begin with them."""
        self._blocks, self._kept = blocks, kept

    def text(self, row: int) -> str:
        return self._blocks.text(row)

    def texts(self, rows: Rows) -> list[str]:
        """Those at `rows` (m,), in order."""
        return self._blocks.texts(rows)

    def equal_to(self, name: str) -> Mask:
        """(n,) which names are `name`."""
        return self._mask(lambda span: span.names.equal_to(name))

    def beginning_with(self, prefix: str) -> Mask:
        """(n,) which names begin with `prefix`."""
        return self._mask(lambda span: span.names.beginning_with(prefix))

    def containing(self, text: str) -> Mask:
        """(n,) which names contain `text`, in any case."""
        return self._mask(lambda span: span.containing(text))

    def behind(self, rows: Rows, name: str) -> Mask:
        """(m,) which of the names at `rows` (m,) come after `name`."""
        result = np.zeros(len(rows), bool)
        for places, names, its_rows in self.parts(rows):
            result[places] = names.behind(its_rows, name)
        return result

    def first(self, rows: Rows, count: int) -> Rows:
        """The places in `rows` (m,) of the c = min(count, m) first names, in any order."""
        if len(rows) <= count:
            return np.arange(len(rows))
        parts = [places[names.first(its, count)] for places, names, its in self.parts(rows)]
        places = np.concatenate(parts)
        if len(places) > count:  # the first of several spans
            names = self._looked_up(rows[places])
            places = places[names.first(np.arange(len(places)), count)]
        return places

    def parts(self, rows: Rows) -> Iterator[tuple[Rows, Names, Rows]]:
        """All of `rows` (m,), in parts: places in `rows`, some names, and the rows in those."""
        if len(rows) <= FEW:
            if len(rows):
                yield np.arange(len(rows)), self._looked_up(rows), np.arange(len(rows))
            return
        numbers = (rows // SPAN).astype(np.uint16)
        order = np.argsort(numbers, kind="stable")  # in linear time, because they are short
        ends = np.cumsum(np.bincount(numbers))
        for number, places in enumerate(np.split(order, ends[:-1])):
            if len(places):
                yield places, self._span(number).names, rows[places] - number * SPAN

    def _looked_up(self, rows: Rows) -> Names:
        return Names(*pack(self.texts(rows)))

    def _mask(self, mask: Callable[[NameSearch], Mask]) -> Mask:
        parts = [mask(self._span(number)) for number in range(self._blocks.spans)]
        return np.concatenate([np.zeros(0, bool), *parts])

    def _span(self, number: int) -> NameSearch:
        size = min(SPAN, len(self._blocks) - number * SPAN)
        span: NameSearch = self._kept.get((number, size), lambda: self._read(number))
        return span

    def _read(self, number: int) -> tuple[NameSearch, int]:
        packed, ends = self._blocks.span(number)
        return NameSearch(Names(packed, ends)), packed.nbytes + ends.nbytes

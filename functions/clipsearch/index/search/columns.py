"""What filters and lists compare, of all rows of a catalogue. Each column is made on first use."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Kind
from clipsearch.index.format.facts import Known, Orientation, dates_of
from clipsearch.index.reader.table import Table
from clipsearch.index.search.all_names import AllNames
from clipsearch.index.search.kept import Kept

Mask = npt.NDArray[np.bool_]

YEARS_1_TO_9999 = -62_135_596_800, 253_402_300_799  # seconds from 1970


class Columns:
    """The columns of n `entries`. `names`: they are kept while they are in use."""

    def __init__(self, entries: Table, names: Kept) -> None:
        self.entries = entries
        self.names = AllNames(entries.names, names)

    @cached_property
    def dates(self) -> npt.NDArray[np.int64]:
        """(n,) see dates_of."""
        entries = self.entries
        return dates_of(entries.facts, entries.generations, entries.times)

    @property
    def instants(self) -> npt.NDArray[np.int64]:
        """(n,) the dates in UTC where the offset is known."""
        has_offset = self.known(Known.TAKEN) & self.known(Known.OFFSET)
        return self.dates - np.where(has_offset, 60 * self.entries.facts["offset"].astype(int), 0)

    @cached_property
    def months(self) -> npt.NDArray[np.int32]:
        """(n,) the months of the dates, 0: January 1970."""
        dates = self.dates.clip(*YEARS_1_TO_9999).view("datetime64[s]")
        return dates.astype("datetime64[M]").astype(np.int32)

    @property
    def orientations(self) -> npt.NDArray[np.uint8]:
        """(n,) of Orientation, 0 if unknown."""
        widths, heights = self.entries.widths, self.entries.heights
        result = np.full(len(widths), Orientation.SQUARE, np.uint8)
        result[widths > heights] = Orientation.LANDSCAPE
        result[widths < heights] = Orientation.PORTRAIT
        result[(widths <= 0) | (heights <= 0)] = 0
        return result

    def known(self, fact: Known) -> Mask:
        """(n,) of which photos the fact is known."""
        mask: Mask = self.entries.facts["flags"] & np.uint8(fact) > 0
        return mask

    @property
    def photos(self) -> Mask:
        """(n,) which entries have a vector."""
        return np.asarray(self.entries.kinds == Kind.VECTOR)

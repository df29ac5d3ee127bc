"""What a reader keeps of its entries: no vectors and no keys, and names in compressed blocks."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Entries, key_of
from clipsearch.index.format.packed_texts import concat_ends, pack, take_packed
from clipsearch.index.format.states import Kind, States
from clipsearch.index.reader.name_blocks import NameBlocks

_COLUMNS = tuple(f.name for f in fields(States) if f.name != "reason_ends")


@dataclass(frozen=True, slots=True, eq=False)
class Table(States):
    """n entries."""

    names: NameBlocks

    @classmethod
    def empty(cls) -> Table:
        nothing = Entries.from_entries([])
        return cls(**{f.name: getattr(nothing, f.name) for f in fields(States)}, names=NameBlocks())

    def extended(self, new: Entries) -> Table:
        """With the `new` entries at the end; their vectors and keys are left out."""
        names = self.names.extended(new.names, new.name_ends)
        if not len(self):  # avoids a copy of a million entries
            return Table(**{f.name: getattr(new, f.name) for f in fields(States)}, names=names)
        columns = {c: np.concatenate([getattr(self, c), getattr(new, c)]) for c in _COLUMNS}
        reason_ends = concat_ends([self.reason_ends, new.reason_ends])
        return Table(**columns, reason_ends=reason_ends, names=names)

    def name(self, row: int) -> str:
        return self.names.text(row)

    def entries(self, keep: npt.NDArray[np.bool_]) -> Entries:
        """The entries where `keep` (n,) is true, in order, without vectors: a copy for tools.

        Computes the keys again: a second for a million.
        """
        names = self.names.texts(np.flatnonzero(keep))
        packed, ends = pack(names)
        reasons, reason_ends = take_packed(
            self.reasons, self.reason_ends, keep[self.kinds == Kind.FAILURE]
        )
        columns = {c: getattr(self, c)[keep] for c in _COLUMNS if c != "reasons"}
        return Entries(
            **columns,
            reasons=reasons,
            reason_ends=reason_ends,
            names=packed,
            name_ends=ends,
            keys=np.array([key_of(name) for name in names], np.uint64).reshape(-1, 2),
            vectors=np.zeros((0, 0), np.float32),
        )

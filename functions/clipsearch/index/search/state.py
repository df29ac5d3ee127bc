"""What a search reads: a catalogue and the shards with its vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Kind
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.search.combination import Combination
from clipsearch.index.search.flat_shard import FlatShard, Rows
from clipsearch.index.search.quantized_shard import QuantizedShard

# Photos of which mean and spread of a term are taken: they differ by 2 % from those of all.
SAMPLE = 4096
# Vectors copied at once, to apply unwanted terms: 32 MB at 512 numbers.
BLOCK = 16_384


@dataclass(frozen=True, eq=False)
class State:
    """The catalogue and the shards of one snapshot; it never changes."""

    catalogue: Catalogue
    flat: Sequence[FlatShard]
    quantized: Sequence[QuantizedShard]

    @property
    def all_shards(self) -> list[FlatShard | QuantizedShard]:
        return [*self.quantized, *self.flat]

    @cached_property
    def sample(self) -> npt.NDArray[np.float32]:
        """(n, d), or (0, 0) without photos. Made by the first search with several terms."""
        rows = self.catalogue.sample(Kind.VECTOR, SAMPLE)
        found = [shard.vectors_of(rows)[1] for shard in self.all_shards]
        return np.concatenate(found) if found else np.zeros((0, 0), np.float32)

    def scores(self, combination: Combination) -> tuple[npt.NDArray[np.float32], Rows]:
        """Scores (n,) and rows (n,) of all photos, without FAISS."""
        live = self.catalogue.live
        scores, found = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
        for shard in self.all_shards:
            for rows, vectors in shard.blocks(BLOCK):
                counts = (rows >= 0) & live[rows]
                told = vectors @ combination.wanted - combination.penalties(vectors)
                scores.append(told[counts])
                found.append(rows[counts])
        return np.concatenate(scores), np.concatenate(found)

    def penalties(self, combination: Combination, rows: Rows) -> npt.NDArray[np.float32]:
        """What unwanted terms take from the scores of `rows` (m,): (m,)."""
        result = np.zeros(len(rows), np.float32)
        order = np.argsort(rows)
        for begin in range(0, len(rows), BLOCK):
            part = order[begin : begin + BLOCK]
            for shard in self.all_shards:
                here, vectors = shard.vectors_of(rows[part])
                at = part[np.searchsorted(rows[part], here)]
                result[at] = combination.penalties(vectors)
        return result

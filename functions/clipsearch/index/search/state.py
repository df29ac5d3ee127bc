"""What a search reads: a catalogue and the shards with its vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.entries import Kind
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.search import candidates
from clipsearch.index.search.bucket_shard import BucketShard
from clipsearch.index.search.columns import Columns, Mask
from clipsearch.index.search.combination import Combination
from clipsearch.index.search.facets import Facets, facets_of
from clipsearch.index.search.filter import Filter
from clipsearch.index.search.flat_shard import FlatShard, Rows
from clipsearch.index.search.kept import Kept
from clipsearch.index.search.mask import mask_of
from clipsearch.index.search.quantized_shard import QuantizedShard

# Photos of which mean and spread of a term are taken: they differ by 2 % from those of all.
SAMPLE = 4096
# Vectors copied at once, to apply unwanted terms: 32 MB at 512 numbers.
BLOCK = 16_384
# Photos that fit a filter are copied if there are up to so many: then a search reads only them.
# 16 MB at 512 numbers.
COPIED = 8192
SAMPLED_IN_BUCKET = 1024  # photos of the sample, if rows stay in the bucket: each may be a read
BYTES_OF_FACETS = 50_000  # at most, about


@dataclass(frozen=True, eq=False)
class State:
    """The catalogue and the shards of one snapshot; it never changes.

    `kept`: masks and other results of filters, for this snapshot only.
    """

    catalogue: Catalogue
    flat: Sequence[FlatShard]
    quantized: Sequence[QuantizedShard | BucketShard]
    columns: Columns
    kept: Kept = field(default_factory=Kept)

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        flat: Sequence[FlatShard],
        quantized: Sequence[QuantizedShard | BucketShard],
        names: Kept,
    ) -> State:
        """`names`: keeps those of the catalogue's rows, also for later states of its reader."""
        return cls(catalogue, flat, quantized, Columns(catalogue.rows, names))

    def mask(self, filter: Filter) -> Mask:
        """(n,) of the photos that fit."""
        masks = [self.kept.get(part, partial(self._mask, part)) for part in filter.parts()]
        mask: Mask = np.logical_and.reduce([self.catalogue.live, self.columns.photos, *masks])
        return mask

    def _mask(self, part: Filter) -> tuple[Mask, int]:
        mask = mask_of(part, self.columns)
        return mask, mask.nbytes

    def within(self, filter: Filter) -> State:
        """The state as if there were only the photos that fit."""
        if filter.is_all:
            return self
        state: State = self.kept.get(("within", filter), lambda: self._within(self.mask(filter)))
        return state

    def _within(self, mask: Mask) -> tuple[State, int]:
        """The state of the photos in `mask`, and its size in bytes."""
        catalogue = replace(self.catalogue, live=mask)
        count = int(np.count_nonzero(mask))
        # With rows in the bucket, a copy is worth it as long as a search would read them all.
        if count <= (min(COPIED, candidates.MOST_IN_BUCKET) if self.stored else COPIED):
            flat = self._copied(mask) if count else ()
            state = replace(self, catalogue=catalogue, flat=flat, quantized=())
            return state, mask.nbytes + sum(shard.vectors().nbytes for shard in flat)
        flat = [part for part in (s.within(mask) for s in self.flat) if part.live]
        quantized = [part for part in (s.within(mask) for s in self.quantized) if part.live]
        state = replace(self, catalogue=catalogue, flat=flat, quantized=quantized)
        return state, mask.nbytes + mask.nbytes // 8

    def _copied(self, mask: Mask) -> list[FlatShard]:
        parts = [block for shard in self.all_shards for block in shard.blocks(mask, COPIED)]
        rows, vectors = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(rows)
        return [FlatShard.of(rows[order], vectors[order])]

    def facets(self, filter: Filter) -> Facets:
        """See facets_of."""
        facets: Facets = self.kept.get(
            ("facets", filter),
            lambda: (facets_of(self.columns, filter, self.mask), BYTES_OF_FACETS),
        )
        return facets

    @property
    def all_shards(self) -> list[FlatShard | QuantizedShard | BucketShard]:
        return [*self.quantized, *self.flat]

    @property
    def stored(self) -> list[BucketShard]:
        """The shards whose rows stay in the bucket."""
        return [shard for shard in self.quantized if isinstance(shard, BucketShard)]

    @cached_property
    def sample(self) -> npt.NDArray[np.float32]:
        """(n, d), or (0, 0) without photos. Made by the first search with several terms."""
        size = SAMPLED_IN_BUCKET if self.stored else SAMPLE
        rows = self.catalogue.sample(Kind.VECTOR, size)
        found = [shard.vectors_of(rows)[1] for shard in self.all_shards]
        return np.concatenate(found) if found else np.zeros((0, 0), np.float32)

    def vectors_of(self, rows: Rows) -> npt.NDArray[np.float32]:
        """(m, d) of the photos in `rows` (m,); they may repeat, in any order."""
        asked, places = np.unique(rows, return_inverse=True)
        dimension = self.all_shards[0].dimension if self.all_shards else 0
        result = np.zeros((len(asked), dimension), np.float32)
        for shard in self.all_shards:
            here, vectors = shard.vectors_of(asked)
            result[np.searchsorted(asked, here)] = vectors
        return result[places]

    def all_scores(self, combination: Combination) -> tuple[npt.NDArray[np.float64], Rows]:
        """Scores (n,) and rows (n,) of all photos, without FAISS."""
        scores, found = [np.zeros(0)], [np.zeros(0, np.int64)]
        for shard in self.all_shards:
            for rows, vectors in shard.blocks(self.catalogue.live, BLOCK):
                scores.append(combination.scores(vectors))
                found.append(rows)
        return np.concatenate(scores), np.concatenate(found)

    def scores(self, combination: Combination, rows: Rows) -> npt.NDArray[np.float64]:
        """The scores (m,) of the photos in `rows` (m,)."""
        result = np.zeros(len(rows))
        order = np.argsort(rows)
        for begin in range(0, len(rows), BLOCK):
            part = order[begin : begin + BLOCK]
            for shard in self.all_shards:
                here, vectors = shard.vectors_of(rows[part])
                at = part[np.searchsorted(rows[part], here)]
                result[at] = combination.scores(vectors)
        return result

"""Reads segments, or packs in their place: many in parallel, each byte once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Self, TypeVar

import numpy as np

from clipsearch.errors import DamagedObject, ObjectNotFound
from clipsearch.index.format.entries import Entries
from clipsearch.index.format.packs import (
    WRONG_ROWS,
    Codes,
    Halves,
    PackHead,
    parse_pack_path,
    read_head,
)
from clipsearch.index.format.quantizer import Quantizer, read_quantizer
from clipsearch.index.format.segments import read_segment, segment_path
from clipsearch.index.reader.prefetch import RowPrefetch
from clipsearch.index.reader.stored_rows import RowStore, StoredRows
from clipsearch.storage import Bucket

# Parallel requests: storage responds in tens of ms, and its client pools 10 connections.
READERS, READERS_BESIDE_ROWS = 8, 4

_NOTHING = Entries.from_entries([])

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class PackGroup:
    """The packs made with one quantizer.

    `vectors` (m, d): their concatenated rows, or where they stay in the bucket. `codes`: by pack.
    `names`: the segment of each pack; "" if the pack is unusable and its segment is read instead.
    """

    names: Sequence[str]
    codes: Sequence[Codes]
    vectors: Halves | StoredRows
    quantizer: Quantizer


class Loader:
    """The data that one refresh has read so far.

    `parts`: entries by segment; for packs without vectors, which `pack_groups` returns.
    `damaged`: unreadable segments. `other_damage`: unusable packs or quantizers, whose segments
    were read instead. `lacks_segments`: if true, a missing segment is damaged; if false, it makes
    the refresh start again. `store`: reads rows that stay in the bucket; None: all come into
    memory. `instead`: segments to read in place of a pack that was in use.
    """

    def __init__(self, bucket: Bucket, space: str, keep_vectors: bool) -> None:
        self._bucket, self._space, self._keep_vectors = bucket, space, keep_vectors
        self._heads: dict[str, PackHead] = {}
        self._coming: list[RowPrefetch] = []
        self._quantizers: dict[str, Quantizer] = {}
        self._dimensions: dict[str, int] = {}
        self.lacks_segments = False
        self.store: RowStore | None = None
        self.instead: set[str] = set()
        self.parts: dict[str, Entries] = {}
        self.damaged: dict[str, DamagedObject] = {}
        self.other_damage: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for coming in self._coming:
            coming.stop()

    def read(self, names: Iterable[str], packs: Mapping[str, str]) -> None:
        """Read these segments, or the heads of their packs; the rows arrive in the background, or
        stay in the bucket.

        Raises ObjectNotFound if a segment has vanished.
        """
        names = sorted(names)
        packed = [name for name in names if name in packs and packs[name] not in self.other_damage]
        if self._keep_vectors and self.store is None:
            self._begin_rows([packs[name] for name in packed])
        self._read_heads(packed, packs)
        self._drop_useless_rows()
        self._read_segments([name for name in names if name not in self._heads])

    def pack_groups(self) -> list[PackGroup]:
        """The vectors of the packs, in one array per quantizer.

        May read segments instead of packs, which changes `parts`.
        """
        self._drop_useless_rows()
        for coming in self._coming:
            coming.hurry()
        return [self._group(coming) for coming in self._coming] + self._stored_groups()

    def _stored_groups(self) -> list[PackGroup]:
        """The packs whose rows stay in the bucket, by quantizer."""
        store = self.store
        if store is None:
            return []
        together: dict[str, dict[str, PackHead]] = {}
        for name, head in self._heads.items():
            together.setdefault(head.quantizer, {})[name] = head
        groups = []
        for quantizer, named in together.items():
            heads = list(named.values())
            rows = StoredRows(
                store=store,
                packs=tuple(head.path for head in heads),
                ends=np.cumsum([len(head.codes) for head in heads]),
                checksums=tuple(head.row_checksums for head in heads),
                dimension=heads[0].dimension,
            )
            codes = [head.codes for head in heads]
            groups.append(PackGroup(list(named), codes, rows, self._quantizers[quantizer]))
        return groups

    def _begin_rows(self, packs: Iterable[str]) -> None:
        together: dict[str, dict[str, int]] = {}
        for pack in packs:
            if said := parse_pack_path(pack):
                together.setdefault(said.quantizer, {})[pack] = said.size
        self._coming += [RowPrefetch(self._bucket, sizes) for sizes in together.values()]

    def _drop_useless_rows(self) -> None:
        """Free the rows of each prefetch without a usable pack: segments may need the memory."""
        usable = {head.path for head in self._heads.values()}
        for coming in self._coming:
            if usable.isdisjoint(coming.sizes):
                coming.stop()
        self._coming = [c for c in self._coming if not usable.isdisjoint(c.sizes)]

    def _read_heads(self, names: Sequence[str], packs: Mapping[str, str]) -> None:
        work = [partial(read_head, self._bucket, self._space, packs[name]) for name in names]
        for name, head in zip(names, self._at_once(work), strict=True):
            if isinstance(head, PackHead):
                if not self._keep_vectors or self._fits(head):
                    self.parts[name] = head.entries
                    self._dimensions[name] = head.dimension
                    if self._keep_vectors:
                        self._heads[name] = replace(head, entries=_NOTHING)  # already in parts
            else:
                self._mark_pack_damaged(packs[name], head)

    def _fits(self, head: PackHead) -> bool:
        """Whether the pack's quantizer is readable and matches its codes."""
        path = head.quantizer
        try:
            if path not in self._quantizers and path not in self.other_damage:
                self._quantizers[path] = read_quantizer(self._bucket, self._space, path)
        except (DamagedObject, ObjectNotFound) as problem:
            self._mark_pack_damaged(path, problem)
        quantizer = self._quantizers.get(path)
        if quantizer is None:
            return False
        fits = (quantizer.code_size, quantizer.basis.shape[1]) == (
            head.codes.shape[1],
            head.dimension,
        )
        if not fits:
            self.other_damage[head.path] = "its codes do not match its quantizer"
        return fits

    def _read_segments(self, names: Sequence[str]) -> None:
        names = [name for name in names if name not in self.parts]
        work = [partial(self._segment, name) for name in names]
        for name, found in zip(names, self._at_once(work), strict=True):
            if isinstance(found, Entries):
                self.parts[name] = found
            elif isinstance(found, DamagedObject):
                self.damaged[name] = found
            elif self.lacks_segments:
                self.damaged[name] = DamagedObject(found.name, "it is missing")
            else:
                raise found

    def _segment(self, name: str) -> Entries:
        entries = read_segment(self._bucket, self._space, name)
        if len(entries.vectors):
            self._dimensions[name] = entries.vectors.shape[1]
        return entries if self._keep_vectors else entries.without_vectors()

    def _group(self, coming: RowPrefetch) -> PackGroup:
        heads = {h.path: (name, h) for name, h in self._heads.items() if h.path in coming.sizes}
        _, one = next(iter(heads.values()))  # all have the same quantizer
        quantizer = self._quantizers[one.quantizer]
        names, codes, unusable = [], [], []
        for pack, found in coming.checksums().items():
            if pack not in heads:
                names.append("")
                count = coming.sizes[pack] // (2 * one.dimension)
                codes.append(np.zeros((count, quantizer.code_size), np.uint8))
                continue
            name, head = heads[pack]
            if found == head.checksum:
                names.append(name)
            else:
                wrong = DamagedObject(pack, WRONG_ROWS)
                self._mark_pack_damaged(pack, wrong if isinstance(found, int) else found)
                unusable.append(name)
                names.append("")
                del self.parts[name], self._heads[name]
            codes.append(head.codes)
        self._read_segments(sorted(unusable))
        return PackGroup(names, codes, coming.vectors(one.dimension), quantizer)

    def _mark_pack_damaged(self, path: str, problem: DamagedObject | ObjectNotFound) -> None:
        self.other_damage[path] = (
            problem.reason if isinstance(problem, DamagedObject) else "it is missing"
        )

    def dimensions(self) -> dict[str, int]:
        """The dimension of the vectors by segment; only segments with vectors."""
        return {name: d for name, d in self._dimensions.items() if name in self.parts}

    def mark_damaged(self, name: str, reason: str) -> None:
        """Discard the segment's data and mark it as damaged."""
        del self.parts[name]
        self._heads.pop(name, None)
        self.damaged[name] = DamagedObject(segment_path(self._space, name), reason)

    def _at_once(self, work: Sequence[Callable[[], T]]) -> list[T | DamagedObject | ObjectNotFound]:
        """Run the calls in parallel; DamagedObject and ObjectNotFound are returned, not raised."""
        if not work:
            return []

        def attempt(call: Callable[[], T]) -> T | DamagedObject | ObjectNotFound:
            try:
                return call()
            except (DamagedObject, ObjectNotFound) as problem:
                return problem

        readers = READERS_BESIDE_ROWS if self._coming else READERS  # rows are read beside
        with ThreadPoolExecutor(min(readers, len(work)), "clipsearch-segments") as pool:
            try:
                return list(pool.map(attempt, work))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

# numpy at the top: import this module inside functions only (nothing heavy before the fork).
"""Segments, or the packs that stand for them, are read: many at a time, each byte once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from clipsearch.entries import Entries
from clipsearch.errors import DamagedObject, ObjectNotFound
from clipsearch.packfile import Halves, PackHead, read_head, read_rows
from clipsearch.quantizer import Quantizer, read_quantizer
from clipsearch.segments import read_segment, segment_path
from clipsearch.storage import Bucket

READERS = 8  # requests at a time: storage answers in tens of ms, and its client pools 10

_NOTHING = Entries.from_entries([])

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class PackGroup:
    """The packs made with one quantizer: those of the segments `names`, in this order.

    `vectors` (m, d): their rows one after the other. `unusable`: of whom they could not be
    read; the segments themselves were read instead.
    """

    names: Sequence[str]
    heads: Sequence[PackHead]
    vectors: Halves
    quantizer: Quantizer
    unusable: frozenset[str]


class Reading:
    """What one refresh has read so far.

    `parts`: the entries of segments by name. Those of packs are without vectors, which come
    with `pack_groups`. `damaged`: segments that cannot be read. `spoilt`: packs or quantizers
    that cannot be used, so that the segment was read in their place. `lacks_segments`: one that
    is not there is damaged; otherwise it is a reason to look again.
    """

    def __init__(self, bucket: Bucket, space: str, keep_vectors: bool) -> None:
        self._bucket, self._space, self._keep_vectors = bucket, space, keep_vectors
        self._heads: dict[str, PackHead] = {}
        self._quantizers: dict[str, Quantizer] = {}
        self._dimensions: dict[str, int] = {}
        self.lacks_segments = False
        self.parts: dict[str, Entries] = {}
        self.damaged: dict[str, DamagedObject] = {}
        self.spoilt: dict[str, str] = {}

    def read(self, names: Iterable[str], packs: Mapping[str, str]) -> None:
        """Read these segments, or their packs. Raises ObjectNotFound for what has vanished."""
        names = sorted(names)
        self._read_heads([name for name in names if name in packs], packs)
        self._read_segments([name for name in names if name not in self._heads])

    def pack_groups(self) -> list[PackGroup]:
        """The vectors of the packs that were read, in as few pieces of memory as possible."""
        together: dict[tuple[str, int], list[str]] = {}
        for name, head in sorted(self._heads.items()):
            together.setdefault((head.quantizer, head.dimension), []).append(name)
        return [
            self._group(names, self._quantizers[quantizer], dimension)
            for (quantizer, dimension), names in together.items()
        ]

    def _read_heads(self, names: Sequence[str], packs: Mapping[str, str]) -> None:
        work = [partial(read_head, self._bucket, self._space, packs[name]) for name in names]
        for name, head in zip(names, _at_once(work), strict=True):
            if isinstance(head, PackHead):
                if not self._keep_vectors or self._fits(head):
                    self.parts[name] = head.entries
                    self._dimensions[name] = head.dimension
                    if self._keep_vectors:
                        self._heads[name] = replace(head, entries=_NOTHING)  # not held twice
            else:
                self._spoil(packs[name], head)

    def _fits(self, head: PackHead) -> bool:
        """Whether the quantizer of the pack is there and can have made its codes."""
        path = head.quantizer
        try:
            if path not in self._quantizers and path not in self.spoilt:
                self._quantizers[path] = read_quantizer(self._bucket, self._space, path)
        except (DamagedObject, ObjectNotFound) as problem:
            self._spoil(path, problem)
        quantizer = self._quantizers.get(path)
        if quantizer is None:
            return False
        fits = (quantizer.code_size, quantizer.basis.shape[1]) == (
            head.codes.shape[1],
            head.dimension,
        )
        if not fits:
            self.spoilt[head.path] = "its codes were not made with its quantizer"
        return fits

    def _read_segments(self, names: Sequence[str]) -> None:
        names = [name for name in names if name not in self.parts]
        for name, found in zip(
            names, _at_once([partial(self._segment, name) for name in names]), strict=True
        ):
            if isinstance(found, Entries):
                self.parts[name] = found
            elif isinstance(found, DamagedObject):
                self.damaged[name] = found
            elif self.lacks_segments:
                self.damaged[name] = DamagedObject(found.name, "it is not there")
            else:
                raise found

    def _segment(self, name: str) -> Entries:
        entries = read_segment(self._bucket, self._space, name)
        if len(entries.vectors):
            self._dimensions[name] = entries.vectors.shape[1]
        return entries if self._keep_vectors else entries.without_vectors()

    def _group(self, names: Sequence[str], quantizer: Quantizer, dimension: int) -> PackGroup:
        heads = [self._heads[name] for name in names]
        ends = np.cumsum([len(head.codes) for head in heads])
        vectors = np.empty((int(ends[-1]), dimension), np.float16)
        slices = np.split(vectors, ends[:-1])
        work = [
            partial(read_rows, self._bucket, head, slice_)
            for head, slice_ in zip(heads, slices, strict=True)
        ]
        unusable = set()
        for name, head, problem in zip(names, heads, _at_once(work), strict=True):
            if problem is not None:
                self._spoil(head.path, problem)
                unusable.add(name)
                del self.parts[name]
        self._read_segments(sorted(unusable))
        return PackGroup(names, heads, vectors, quantizer, frozenset(unusable))

    def _spoil(self, path: str, problem: DamagedObject | ObjectNotFound) -> None:
        self.spoilt[path] = (
            problem.reason if isinstance(problem, DamagedObject) else "it is not there"
        )

    def dimensions(self) -> dict[str, int]:
        """Of the vectors of each segment that has any."""
        return {name: d for name, d in self._dimensions.items() if name in self.parts}

    def set_aside(self, name: str, reason: str) -> None:
        """Take back what was read of a segment."""
        del self.parts[name]
        self._heads.pop(name, None)
        self.damaged[name] = DamagedObject(segment_path(self._space, name), reason)


def _at_once(work: Sequence[Callable[[], T]]) -> list[T | DamagedObject | ObjectNotFound]:
    """What each call returns, or how it found its object; other errors are raised."""
    if not work:
        return []

    def attempt(call: Callable[[], T]) -> T | DamagedObject | ObjectNotFound:
        try:
            return call()
        except (DamagedObject, ObjectNotFound) as problem:
            return problem

    with ThreadPoolExecutor(min(READERS, len(work)), "clipsearch-segments") as pool:
        try:
            return list(pool.map(attempt, work))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise

"""Entries as columns, and which of those about one photo wins (states.py has the rule).

A million entries are a few arrays. From storage to search, no step creates a Python object per
photo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.index.format.facts import Facts, facts_rows
from clipsearch.index.format.packed_texts import concat_ends, pack, take_packed, unpack
from clipsearch.index.format.states import Cause as Cause
from clipsearch.index.format.states import Kind as Kind
from clipsearch.index.format.states import States

Array = npt.NDArray[Any]

UNIT_TOLERANCE = 1e-3  # rejects vectors that were never scaled; float32 is accurate to 1e-6


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact about one generation of one photo, as written by ingest.

    `width`, `height`: pixels of the upright photo, 0 if unknown. `time_us`: when the entry was
    written, µs since 1970. `vector`: (d,) float32 of length 1, only for kind VECTOR. `facts`: None
    if nothing is known, which reconcile fills in for a vector.
    Only for kind FAILURE: `reason`, why the photo cannot be indexed, and `cause`, a Cause or the
    version of the decoder that failed.
    """

    name: str
    generation: int
    kind: Kind
    width: int = 0
    height: int = 0
    time_us: int = 0
    vector: npt.NDArray[np.float32] | None = None
    reason: str | None = None
    cause: int = Cause.UNKNOWN
    facts: Facts | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("the name of an entry's photo must not be empty")
        if (self.vector is not None) != (self.kind == Kind.VECTOR):
            raise ValueError(f"{self.name!r}: kind {self.kind!r} and its vector do not match")
        if (self.reason is not None) != (self.kind == Kind.FAILURE):
            raise ValueError(f"{self.name!r}: kind {self.kind!r} and its reason do not match")
        if self.vector is not None and not abs(np.linalg.norm(self.vector) - 1) < UNIT_TOLERANCE:
            raise ValueError(f"{self.name!r}: the vector's length must be 1")


@dataclass(frozen=True, slots=True, eq=False)
class Entries(States):
    """n entries: v of them have vectors of d numbers.

    `names`: concatenated UTF-8; `name_ends`: where each name ends. `vectors` has one row per entry
    of its kind, in order. Without vectors, d is unknown and `vectors` is (0, 0).
    """

    names: npt.NDArray[np.uint8]
    name_ends: npt.NDArray[np.int64]  # (n,)
    keys: npt.NDArray[np.uint64]  # (n, 2), see key_of
    vectors: npt.NDArray[np.float32]  # (v, d)

    @classmethod
    def from_entries(cls, entries: Sequence[Entry]) -> Entries:
        """Raises ValueError if the vectors differ in dimension."""
        vectors = [e.vector for e in entries if e.vector is not None]
        names, name_ends = pack([e.name for e in entries])
        reasons, reason_ends = pack([e.reason for e in entries if e.reason is not None])
        return cls(
            names=names,
            name_ends=name_ends,
            keys=np.array([key_of(e.name) for e in entries], np.uint64).reshape(-1, 2),
            generations=np.array([e.generation for e in entries], np.int64),
            kinds=np.array([e.kind for e in entries], np.uint8),
            widths=np.array(
                [e.cause if e.kind == Kind.FAILURE else e.width for e in entries], np.int32
            ),
            heights=np.array([e.height for e in entries], np.int32),
            times=np.array([e.time_us for e in entries], np.int64),
            vectors=np.stack(vectors).astype(np.float32) if vectors else _no_vectors(),
            reasons=reasons,
            reason_ends=reason_ends,
            facts=facts_rows([e.facts for e in entries]),
        )

    @classmethod
    def concat(cls, parts: Sequence[Entries]) -> Entries:
        """The entries of all parts, in order."""
        parts = [part for part in parts if len(part)]
        if len(parts) < 2:
            return parts[0] if parts else cls.from_entries([])
        vectors = [p.vectors for p in parts if len(p.vectors)]
        return cls(
            names=np.concatenate([p.names for p in parts]),
            name_ends=concat_ends([p.name_ends for p in parts]),
            keys=np.concatenate([p.keys for p in parts]),
            generations=np.concatenate([p.generations for p in parts]),
            kinds=np.concatenate([p.kinds for p in parts]),
            widths=np.concatenate([p.widths for p in parts]),
            heights=np.concatenate([p.heights for p in parts]),
            times=np.concatenate([p.times for p in parts]),
            vectors=np.concatenate(vectors) if vectors else _no_vectors(),
            reasons=np.concatenate([p.reasons for p in parts]),
            reason_ends=concat_ends([p.reason_ends for p in parts]),
            facts=np.concatenate([p.facts for p in parts]),
        )

    def take(self, keep: npt.NDArray[np.bool_]) -> Entries:
        """The entries where `keep` (n,) is true, in order."""
        if keep.all():
            return self  # avoids a copy, slow for a million entries
        names, name_ends = take_packed(self.names, self.name_ends, keep)
        reasons, reason_ends = take_packed(
            self.reasons, self.reason_ends, keep[self.kinds == Kind.FAILURE]
        )
        kept_vectors = keep[self.kinds == Kind.VECTOR]
        return Entries(
            names=names,
            name_ends=name_ends,
            keys=self.keys[keep],
            generations=self.generations[keep],
            kinds=self.kinds[keep],
            widths=self.widths[keep],
            heights=self.heights[keep],
            times=self.times[keep],
            vectors=self.vectors[kept_vectors] if len(self.vectors) else self.vectors,
            reasons=reasons,
            reason_ends=reason_ends,
            facts=self.facts[keep],
        )

    def without_vectors(self) -> Entries:
        """A copy for readers that keep the vectors elsewhere. Do not store it."""
        return replace(self, vectors=_no_vectors())

    def name(self, row: int) -> str:
        return unpack(self.names, self.name_ends, row)

    def winners(self) -> npt.NDArray[np.bool_]:
        """(n,) mask of the winning entry of each photo, its state.

        The rule is commutative and idempotent: order and duplicates make no difference.
        """
        wins = np.zeros(len(self), bool)
        wins[self.winners_by_key()] = True
        return wins

    def winners_by_key(self) -> npt.NDArray[np.int64]:
        """(w,) the rows of the winning entries, in the order of their keys."""
        order: npt.NDArray[np.int64] = np.argsort(
            self.keys[:, 0]
        )  # much faster than lexsort; only equal first halves need more
        first = self.keys[order, 0]
        same = first[1:] == first[:-1]
        if not same.any():
            return order
        places = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        rows = order[places]
        decisive = [column[rows] for column in self.precedence()]
        order[places] = rows[np.lexsort((*decisive[::-1], *self.keys[rows].T[::-1]))]
        second = self.keys[order, 1]
        last_of_its_name = np.append(~same | (second[1:] != second[:-1]), True)
        return np.asarray(order[last_of_its_name])


def key_of(name: str) -> tuple[int, int]:
    """The first 16 bytes of SHA-256 of the name, as two big-endian numbers.

    Equal keys mean equal names: a collision of 128 bits cannot be constructed.
    """
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")


def keys_of(names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """(n, 2)"""
    return np.array([key_of(name) for name in names], np.uint64).reshape(-1, 2)


def _no_vectors() -> npt.NDArray[np.float32]:
    return np.zeros((0, 0), np.float32)

"""How much of the best 20 two models have in common: how much changes, not which is better."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from cli.evaluate.asking import DEPTH
from cli.evaluate.library import Library, Vectors
from cli.switch.texts import TEXTS

PHOTOS = 200  # asked for, with their own vectors


@dataclass(frozen=True)
class Agreement:
    """Shares from 0 to 1, the mean of all queries; None without a query."""

    photos: int
    by_photos: float | None
    by_texts: float | None

    def lines(self) -> Iterator[str]:
        """For the terminal."""
        if self.by_photos is not None:
            yield f"photos like {self.photos:,} of the photos: {self.by_photos:.0%} are the same"
        if self.by_texts is not None:
            yield f"photos for {len(TEXTS)} texts: {self.by_texts:.0%} are the same"
        yield "This says how much changes, not which model is better. --captions measures that."


def agreement(old: Library, new: Library) -> Agreement:
    """Of the first 20 hits of the old model, the share that the new one has among its first 20."""
    names = sampled(set(old.names) & set(new.names))
    by_photos = [_shared(_like(old, name), _like(new, name)) for name in names]
    by_texts = [_shared(_best(old, _vector(old, t)), _best(new, _vector(new, t))) for t in TEXTS]
    return Agreement(len(names), _mean(by_photos), _mean(by_texts))


def sampled(names: Iterable[str]) -> list[str]:
    """Up to PHOTOS names, the same ones each time: those with the least hashes."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:PHOTOS]


def _vector(library: Library, text: str) -> Vectors:
    return library.model.words(text).vector


def _like(library: Library, name: str) -> set[str]:
    return _best(library, library.state.index.vector_of(name), name)


def _best(library: Library, vector: Vectors, but: str = "") -> set[str]:
    """The names of the first 20 hits for a vector (d,), without the photo `but`."""
    hits = library.state.index.search(vector, DEPTH + 1)
    return {hit.name for hit in [hit for hit in hits if hit.name != but][:DEPTH]}


def _shared(old: set[str], new: set[str]) -> float | None:
    return len(old & new) / len(old) if old else None


def _mean(shares: list[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return float(np.mean(known)) if known else None

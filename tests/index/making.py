"""Makes entries for tests and extracts comparable facts from them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from clipsearch.index.format.entries import Entries, Entry, Kind
from clipsearch.index.format.facts import Facts as PhotoFacts

SPACE = "0123456789ab"
Vector = npt.NDArray[np.float32]


def unit(*numbers: float) -> Vector:
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


def random_units(count: int, dimension: int = 8, seed: int = 0) -> Vector:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def photo(
    name: str,
    generation: int = 1,
    vector: Vector | None = None,
    time_us: int = 0,
    facts: PhotoFacts | None = None,
) -> Entry:
    vector = unit(1, 0, 0, 0) if vector is None else vector
    return Entry(name, generation, Kind.VECTOR, 640, 480, time_us, vector=vector, facts=facts)


def tombstone(name: str, generation: int = 1, time_us: int = 0) -> Entry:
    return Entry(name, generation, Kind.TOMBSTONE, time_us=time_us)


def failure(name: str, generation: int = 1, reason: str = "broken", time_us: int = 0) -> Entry:
    return Entry(name, generation, Kind.FAILURE, time_us=time_us, reason=reason)


Facts = set[tuple[str, int, int, int, int, int, bytes | None, str | None, bytes]]


def facts(entries: Entries, vectors: bool = True) -> Facts:
    """All facts of the entries, unordered."""
    rows = iter(entries.vectors if vectors else ())
    return {
        (
            entries.name(row),
            int(entries.generations[row]),
            int(entries.kinds[row]),
            int(entries.widths[row]),
            int(entries.heights[row]),
            int(entries.times[row]),
            next(rows).tobytes() if vectors and entries.kinds[row] == Kind.VECTOR else None,
            entries.reason(row),
            entries.facts[row].tobytes(),
        )
        for row in range(len(entries))
    }


@st.composite
def entries_lists(draw: st.DrawFn, names: Sequence[str] | None = None) -> list[Entry]:
    """Distinct events: each has its own time. A photo has one vector per generation."""
    name = st.sampled_from(names) if names else st.text(min_size=1, max_size=8).filter(_is_text)
    keys = st.tuples(name, st.integers(1, 4), st.sampled_from(Kind))
    drawn = draw(st.lists(keys, min_size=1, max_size=12))
    result = []
    for time_us, (photo_name, generation, kind) in enumerate(drawn):
        if kind == Kind.VECTOR:
            seed = zlib.crc32(f"{photo_name}@{generation}".encode())
            vector = random_units(1, 4, seed=seed)[0]
            facts = draw(st.none() | st.builds(PhotoFacts, size=st.integers(0, 9)))
            result.append(photo(photo_name, generation, vector, time_us, facts))
        elif kind == Kind.TOMBSTONE:
            result.append(tombstone(photo_name, generation, time_us))
        else:
            result.append(failure(photo_name, generation, draw(st.text(max_size=5)), time_us))
    return result


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()

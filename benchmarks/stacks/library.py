"""Time the search for all near-duplicates of a library: random hashes and planted copies."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from tqdm import tqdm

from cli.duplicates.find import stacks_of

DIMENSION = 512
ONE_IN = 20  # photos is a copy of another
BITS = 5  # that its hash differs by


def measure(photos: int) -> dict[str, Any]:
    """Vectors are random and small on disk: float16, as in packs."""
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**64, photos, np.uint64, endpoint=False)
    copies = rng.permutation(photos)[: photos // ONE_IN]
    originals = np.setdiff1d(np.arange(photos), copies)[: len(copies)]
    hashes[copies] = hashes[originals] ^ np.uint64(2**BITS - 1)
    seeds = np.arange(photos)
    seeds[copies] = originals
    table = _units(rng.standard_normal((4096, DIMENSION), np.float32))

    def vectors_of(ranks: Any) -> Any:
        return _units(table[seeds[ranks] % 4096] + table[seeds[ranks] // 4096])

    begin = time.perf_counter()
    with tqdm(total=photos, desc="comparing", unit="photo") as shown:
        leaders = stacks_of(hashes, vectors_of, shown.update)
    seconds = time.perf_counter() - begin
    found = leaders[np.maximum(copies, originals)] == np.minimum(copies, originals)
    return {
        "photos": photos,
        "copies": len(copies),
        "found": int(found.sum()),
        "wrong": int((leaders != np.arange(photos)).sum() - found.sum()),
        "seconds": round(seconds, 1),
    }


def _units(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def table(report: dict[str, Any]) -> str:
    return (
        f"`clipsearch duplicates`, {report['photos']:,} photos: {report['seconds']:.0f} s; "
        f"{report['found']:,} of {report['copies']:,} copies found, {report['wrong']:,} wrong"
    )

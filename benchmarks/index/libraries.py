"""Libraries as people have them: single photos, bursts, and time-lapses.

In a burst or a time-lapse, all photos are near-duplicates of one scene: two of them have a cosine
of 0.95 to 0.995. They fill a list of candidates, so they are the hard case of a search by codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

BURST = (3, 100)  # photos, the least and the most
TIME_LAPSE = (2_000, 6_000)
COSINES = (0.95, 0.995)  # of two photos of a scene
SEED = 3


@dataclass(frozen=True)
class Kind:
    """The shares of photos in bursts and in time-lapses; all others are single photos."""

    bursts: float = 0.0
    time_lapses: float = 0.0
    longest_burst: int = BURST[1]


PLAIN = "plain"
KINDS = {
    PLAIN: Kind(),
    "moderate": Kind(bursts=0.2, time_lapses=0.02, longest_burst=20),
    "mix": Kind(bursts=0.4, time_lapses=0.1),
    "bursts": Kind(bursts=1.0),
}


def sizes_of_scenes(kind: Kind, photos: int) -> npt.NDArray[np.int64]:
    """How many photos each scene has, in a random order; `photos` in all."""
    chance = np.random.default_rng(SEED)
    bursts = _drawn(chance, round(kind.bursts * photos), BURST[0], kind.longest_burst)
    lapses = _drawn(chance, round(kind.time_lapses * photos), *TIME_LAPSE)
    single = np.ones(photos - bursts.sum() - lapses.sum(), np.int64)
    sizes = np.concatenate([single, bursts, lapses])
    chance.shuffle(sizes)
    return sizes


def _drawn(
    chance: np.random.Generator, photos: int, least: int, most: int
) -> npt.NDArray[np.int64]:
    """Sizes of `least` to `most` that add up to `photos`; the last one may be smaller."""
    sizes = chance.integers(least, most, size=photos // least + 1, endpoint=True)
    ends = np.minimum(np.cumsum(sizes), photos)
    sizes = np.diff(ends, prepend=0)
    return sizes[sizes > 0]


def photographed(
    scenes: Iterable[Vectors], sizes: npt.NDArray[np.int64], base: Vectors, block: int
) -> Iterator[Vectors]:
    """The photos of `scenes`, in blocks of `block` photos.

    `scenes`: blocks of vectors (n, d), one for each of `sizes` (s,). `base` (b, d): vectors of
    photos. Near-duplicates differ in the directions in which photos differ, and a little in all.
    """
    of_photo = np.repeat(np.arange(len(sizes)), sizes)
    cosines = np.random.default_rng(SEED).uniform(*COSINES, size=len(sizes)).astype(np.float32)
    shape = _shape_of(base)
    source, held, first = iter(scenes), np.zeros((0, base.shape[1]), np.float32), 0
    for begin in range(0, len(of_photo), block):
        part = of_photo[begin : begin + block]
        held, first = held[part[0] - first :], int(part[0])
        while first + len(held) <= part[-1]:
            held = np.concatenate([held, next(source)])
        vectors = held[part - first]
        alike = sizes[part] > 1
        chance = np.random.default_rng(2000 + begin)
        noise = chance.standard_normal((np.count_nonzero(alike), len(shape)), np.float32) @ shape
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        cosine = cosines[part[alike], None]
        moved = np.sqrt(cosine) * vectors[alike] + np.sqrt(1 - cosine) * noise
        vectors[alike] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        yield vectors


def _shape_of(base: Vectors) -> Vectors:
    """(d, d): normal numbers times this differ half like photos, half in all directions."""
    covariance = np.cov(base.T.astype(np.float64), bias=True)
    alike = covariance / np.trace(covariance) + np.eye(len(covariance)) / len(covariance)
    return np.linalg.cholesky(alike).T.astype(np.float32)

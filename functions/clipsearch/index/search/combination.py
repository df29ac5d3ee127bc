"""Several terms as one query, in a balance that no kind of term decides alone.

The products of a text with photos differ by some 0.03, those of a photo by some 0.15. So the sum
of the vectors follows the photo only. Here each term counts in its own units: how many spreads a
photo is above the mean of a sample of the library.

Wanted terms stay one vector, so one scan finds the candidates. Unwanted terms only lower a photo
that is above the mean. Otherwise the photos that are least like them would win: with a weight of
-4, "car, not snow" found photos without a car (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# A smaller spread of cosines is noise of float16, as in a library of one photo.
LEAST_SPREAD = 1e-3

Vectors = npt.NDArray[np.float32]
Balance = tuple[float, float]  # mean and spread of a term's products with the sample


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """Scores a photo v (d,) as `wanted` @ v - sum(max(0, `unwanted` @ v + `offsets`)).

    `wanted` (d,), `unwanted` (m, d), `offsets` (m,). The lengths of wanted and unwanted add up to
    1, so rounding changes a score as little as a cosine. `balances`: one for each term.
    """

    wanted: Vectors
    unwanted: Vectors
    offsets: npt.NDArray[np.float32]
    balances: tuple[Balance, ...]
    scale: float
    base: float

    @classmethod
    def of(
        cls, terms: Vectors, weights: Sequence[float], balances: Sequence[Balance]
    ) -> Combination:
        """`terms` (t, d), `weights` (t,): negative for unwanted terms, at least one positive."""
        means, spreads = np.array(balances, np.float64).T
        shares = np.array(weights, np.float64) / np.abs(weights).sum()
        units = shares / spreads
        vectors, offsets = terms * units[:, None], -units * means
        is_wanted = shares > 0
        wanted, unwanted = vectors[is_wanted].sum(0), -vectors[~is_wanted]
        length = np.linalg.norm(wanted) + np.linalg.norm(unwanted, axis=1).sum()
        length = max(float(length), 1e-6)  # opposite terms cancel out
        return cls(
            wanted=(wanted / length).astype(np.float32),
            unwanted=(unwanted / length).astype(np.float32),
            offsets=(-offsets[~is_wanted] / length).astype(np.float32),
            balances=tuple(balances),
            scale=length,
            base=float(offsets[is_wanted].sum()),
        )

    def scores(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """(n, d) -> (n,).

        In float64: sums depend on n in the last digits of float32. Then a photo might be on two
        pages or on none.
        """
        exact = vectors.astype(np.float64)
        penalties = (exact @ self.unwanted.T + self.offsets).clip(min=0).sum(1)
        return np.asarray(exact @ self.wanted - penalties)

    def value(self, score: float) -> float:
        """The weighted mean of the terms' standardised products, for a score of a search."""
        return round(self.scale * score + self.base, 6) + 0.0


def balances_of(terms: Vectors, sample: Vectors) -> list[Balance]:
    """Mean and spread of the products of `terms` (t, d) with `sample` (n, d), as float32."""
    if not len(sample):
        return [(0.0, 1.0)] * len(terms)
    products = (sample @ terms.T).astype(np.float64)
    spreads = products.std(0).clip(min=LEAST_SPREAD)
    pairs: npt.NDArray[np.float32] = np.stack([products.mean(0), spreads], 1).astype(np.float32)
    return [(mean, spread) for mean, spread in pairs.tolist()]

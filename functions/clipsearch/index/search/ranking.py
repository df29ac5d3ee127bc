"""The best photos for one query in one state, in an order that can be paged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from clipsearch.index.search.bucket_shard import BucketShard
from clipsearch.index.search.combination import Combination
from clipsearch.index.search.flat_shard import Found, Rows, Vectors
from clipsearch.index.search.order import After, first
from clipsearch.index.search.state import State

# Digits of a score. float32 holds 7. Rounding hides differences from the order of summation.
DIGITS = 6
# Extra candidates, to detect ties at the end of a page.
SPARE = 4
# More of them with unwanted terms, which push the best down. More than MOST_CANDIDATES are never
# asked for: then all photos are scored. "car, not car" has no good candidates.
FACTOR_OF_UNWANTED = 10
MOST_CANDIDATES = 4096

Scores = npt.NDArray[np.float64]
Ranked = tuple[Scores, Rows]  # scores and rows of the catalogue


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """`query` (d,). `terms`: only with unwanted terms; their scores are lower than of `query`."""

    state: State
    pool: Executor
    query: Vectors
    terms: Combination | None

    @classmethod
    def of(cls, state: State, pool: Executor, wanted: Vectors | Combination) -> Ranking:
        """`wanted` must have the dimension of the state."""
        terms = wanted if isinstance(wanted, Combination) else None
        vector = wanted.wanted if isinstance(wanted, Combination) else wanted
        has_unwanted = terms is not None and len(terms.unwanted)
        query = np.ascontiguousarray(vector, np.float32)
        return cls(state, pool, query, terms if has_unwanted else None)

    # With rows in the bucket, "exact" is: of as many candidates as a search compares.
    def best(
        self, limit: int, after: tuple[float, str] | None = None, exactly: bool = False
    ) -> Ranked:
        """The first `limit` by descending score, then by name, in order; exact with `after`.

        Raises ValueError for an invalid limit.
        """
        if limit < 1:
            raise ValueError(f"the limit must be at least 1, not {limit!r}")
        k = limit + SPARE if after is None else 8 * limit  # one pass for the first few pages
        if self.terms is not None:
            k = min(FACTOR_OF_UNWANTED * k, max(k, MOST_CANDIDATES))
        exactly |= after is not None
        names = self.state.columns.names
        begin = None if after is None else (-after[0], after[1])
        while True:
            scores, rows, unseen = self._lowered(k, exactly)
            if self.terms is not None:
                scores, rows, unseen = self._completed(scores, rows, unseen, limit, begin)
            certain = scores > unseen
            scores, rows = scores[certain], rows[certain]
            places = first(-scores, rows, names, limit, begin)
            if unseen == -np.inf or len(places) == limit:
                return scores[places], rows[places]
            k, exactly = 4 * k, True

    def _completed(
        self, scores: Scores, rows: Rows, unseen: float, limit: int, begin: After | None
    ) -> tuple[Scores, Rows, float]:
        """The candidates, extended to include the first `limit`, if so many are known.

        Unwanted terms may push candidates below `unseen`. Photos that are better than those known
        then have at least the score of the last of them.
        """
        places = first(-scores, rows, self.state.columns.names, limit, begin)
        if len(places) < limit or scores[places[-1]] > unseen:
            return scores, rows, unseen
        scores, rows, _ = self.at_least(scores[places[-1]] - 2 * 10**-DIGITS)
        return scores, rows, -np.inf

    def at_least(self, least: float) -> tuple[Scores, Rows, bool]:
        """All photos with at least this score, in any order, and whether some may be missing."""
        # A rounded score may be higher than the exact one.
        bound = least - 10**-DIGITS
        found = self._of_shards(
            [partial(s.above, self.query, bound) for s in self.state.all_shards]
        )
        is_cut = any(
            isinstance(shard, BucketShard) and shard.is_cut(len(rows))
            for shard, (_, rows) in zip(self.state.all_shards, found, strict=True)
        )
        rows = np.concatenate([np.zeros(0, np.int64), *(rows for _, rows in found)])
        scores = rounded(np.concatenate([np.zeros(0, np.float32), *(s for s, _ in found)]))
        if self.terms is not None:
            scores = _to_digits(self.state.scores(self.terms, rows))
        enough = scores >= least
        return scores[enough], rows[enough], is_cut

    def _lowered(self, k: int, exactly: bool) -> tuple[Scores, Rows, float]:
        """Same as _candidates, with unwanted terms. They only lower, so the bound stays one."""
        if self.terms is None:
            return self._candidates(k, exactly)
        if k > MOST_CANDIDATES and not self.state.stored:
            scores, rows = self.state.all_scores(self.terms)
            return _to_digits(scores), rows, -np.inf
        _, rows, unseen = self._candidates(k, exactly)
        # Scores of FAISS differ from exact ones in the last digit.
        return _to_digits(self.state.scores(self.terms, rows)), rows, unseen + 10**-DIGITS

    def _candidates(self, k: int, exactly: bool) -> tuple[Scores, Rows, float]:
        """Scores and rows of the best k of each shard, and an upper bound of all other scores.

        The bound is -inf if no other photo exists.
        """
        state, query = self.state, self.query
        live = state.catalogue.live
        work: list[Callable[[], Found]] = [
            partial(shard.best, query, k) if exactly else partial(shard.nearly_best, query, k, live)
            for shard in state.quantized
        ]
        work += [partial(shard.best, query, k) for shard in state.flat]
        unseen, parts = -np.inf, []
        for shard, (scores, rows) in zip(state.all_shards, self._of_shards(work), strict=True):
            told = rounded(scores)
            parts.append((told, rows))
            if len(rows) == k < shard.live:
                unseen = max(unseen, float(told[-1]))
        if not parts:
            return np.zeros(0), np.zeros(0, np.int64), unseen
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), unseen

    def _of_shards(self, work: list[Callable[[], Found]]) -> list[Found]:
        """The results of the calls, one per shard. Only quantized shards are worth a thread."""
        # This thread searches the first shard itself, because it would otherwise wait.
        threads = len(self.state.quantized)
        others = [self.pool.submit(call) for call in work[1:threads]]
        found = [call() for call in work[:1]]
        flat = [call() for call in work[max(1, threads) :]]
        return [*found, *(other.result() for other in others), *flat]


def rounded(scores: Vectors) -> Scores:
    """Scores of any shape, rounded to DIGITS digits and limited to [-1, 1]."""
    return _to_digits(scores.astype(np.float64)).clip(-1, 1)


def _to_digits(scores: Scores) -> Scores:
    """Rounded to DIGITS digits."""
    # + 0.0 turns -0.0 into 0.0, which is equal but prints differently.
    exact: Scores = scores.round(DIGITS) + 0.0
    return exact

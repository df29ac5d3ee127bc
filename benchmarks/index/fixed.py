"""The search before candidates adapted: 640 in every library. Only to compare with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import faiss

from clipsearch.index.search.flat_shard import Found, Live, Vectors
from clipsearch.index.search.quantized_shard import QuantizedShard

CANDIDATES, PER_HIT = 640, 16


@contextmanager
def fixed_candidates() -> Iterator[None]:
    """Searches by codes compare a fixed number of candidates. For libraries without deletions."""
    with mock.patch.object(QuantizedShard, "nearly_best", _nearly_best):
        yield


def _nearly_best(shard: QuantizedShard, query: Vectors, k: int, live: Live) -> Found:
    faiss.omp_set_num_threads(1)
    refined = faiss.IndexRefine(shard.scan.index, shard.exact)
    parameters = faiss.IndexRefineSearchParameters()
    parameters.k_factor = max(CANDIDATES, PER_HIT * k) / k
    scores, places = refined.search(query[None], k, params=parameters)
    return scores[0], shard.rows[places[0]]

"""FAISS indexes over arrays that are there: one that scans codes, one that compares vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from clipsearch.index.format.quantizer import GROUP, Quantizer

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Scores m codes against a query. `index`: FAISS's; it does not own its parts."""

    index: faiss.IndexPreTransform
    turn: faiss.LinearTransform
    codes: Any

    @classmethod
    def of(cls, quantizer: Quantizer, codes: npt.NDArray[np.uint8]) -> Scan:
        """`codes` (m, bytes) are copied."""
        basis, points = quantizer.for_queries()
        turn, coded = _turn(basis), _coded(points, codes)
        return cls(faiss.IndexPreTransform(turn, coded), turn, coded)

    def __len__(self) -> int:
        return int(self.codes.ntotal)

    def scores(self, query: Vectors, places: npt.NDArray[np.int64]) -> Vectors:
        """(j,) of the codes at `places` (j,), like those of `index`. Takes about 1 µs each."""
        turned = self.turn.apply(query[None])[0]
        return np.asarray(self.codes.reconstruct_batch(places) @ turned)


def seen_as_index(vectors: npt.NDArray[np.float16]) -> faiss.IndexScalarQuantizer:
    """A FAISS index over this memory, without a copy: it may be 1 GB. Keep the array alive."""
    index = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    _let_see(index, vectors.view(np.uint8))
    return index


def _let_see(index: Any, codes: npt.NDArray[np.uint8]) -> None:
    """Make `codes` (m, bytes) the content of an index, without a copy."""
    pointer = faiss.swig_ptr(codes.reshape(-1))
    index.codes.is_owned = False
    index.codes.view_data = index.codes.c_ptr = pointer
    index.codes.view_size = index.codes.c_size = codes.size
    index.ntotal = len(codes)


def _coded(points: Vectors, codes: npt.NDArray[np.uint8]) -> Any:
    """The FAISS index that scans `codes` for candidates."""
    index = faiss.IndexPQ(len(points) * GROUP, len(points), 4, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(points.reshape(-1), index.pq.centroids)
    index.is_trained = True
    _let_see(index, codes)
    result: Any = faiss.IndexPQFastScan(index)  # type: ignore[arg-type]
    result.orig_codes = None  # a pointer to `codes`, which are freed
    return result


def _turn(basis: Vectors) -> faiss.LinearTransform:
    """The transform of queries into the space of the codes."""
    turn = faiss.LinearTransform(basis.shape[1], basis.shape[0], False)
    faiss.copy_array_to_vector(np.ascontiguousarray(basis, np.float32).reshape(-1), turn.A)
    turn.is_trained = True
    return turn

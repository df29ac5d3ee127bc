"""A table of Lance (https://lance.org) as the engine: state on object storage, stateless readers.

Texts lie far from photos, along a direction in which photos differ little. An index that skips
data loses texts, because it clusters photos by what makes them differ. So vectors are stretched
along that direction, and queries shrunk: products stay equal, and clusters follow texts too. The
constants were measured with `make bench-engine`, see docs/engine.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from clipsearch.engine.protocol import Found
from clipsearch.errors import StorageError
from clipsearch.index.format.entries import Entries
from clipsearch.storage import folder_path

Vectors = npt.NDArray[np.float32]

STRETCH = 6.0  # of vectors along the direction of texts
# Fewer photos are read whole: 10 MB at 512 numbers.
LEAST_INDEXED = 10_000
NUMBERS_PER_BYTE = 4  # of a vector, in its code
VECTORS_PER_PARTITION = 64  # that are looked at to find its centre
TRAIN_AGAIN = 4  # when there are so many times the photos: then twice the partitions are right
# Partitions that a search reads: two requests each, if they are not in memory.
PROBED = 96
LEAST_PARTITIONS = 8
COMPARED = 240  # rows of candidates that a search reads: a request each
RETRIES = 50  # of a merge, after another writer was first
OLD = timedelta(hours=12)  # versions of the table that no search reads any more
# Bytes of the index in memory: at 512 numbers 136 a photo, and what is not there is read again.
CACHE = 2 << 30
INDEX = "vectors"
_TRAINED_FOR = "clipsearch.trained_for"  # photos
_COMMON = b"clipsearch:text_direction"  # float32; empty if unknown


class LanceTable:
    """The table at `url` (gs:// or file://), made by the first apply().

    `dim`: of its vectors. `common` (dim,): the direction that texts share, None if unknown. An
    existing table keeps the direction that it was made with.
    """

    def __init__(
        self, url: str, dim: int, common: Vectors | None, least_indexed: int = LEAST_INDEXED
    ) -> None:
        self._url = str(folder_path(url)) if url.startswith("file:") else url
        self._dim, self._common, self._least_indexed = dim, common, least_indexed
        self._session: Any = None  # keeps what was read of the index, for all searches

    def apply(self, entries: Entries) -> None:
        from clipsearch.engine.rows import WINS, table_of

        with _translated("apply to", self._url):
            dataset = self._opened() or self._made()
            vectors = stretched(entries.vectors, _direction(dataset), STRETCH)
            rows = table_of(entries, vectors, self._dim)
            merge = dataset.merge_insert("key").when_matched_update_all(WINS)
            merge.when_not_matched_insert_all().conflict_retries(RETRIES).execute(rows)

    def improve(self) -> None:
        with _translated("improve", self._url):
            dataset = self._opened()
            if dataset is None:
                return
            dataset.optimize.compact_files()
            photos = dataset.count_rows("vector IS NOT NULL")
            trained_for = _trained_for(dataset)
            if photos >= max(self._least_indexed, TRAIN_AGAIN * trained_for):
                self._train(dataset, photos)
            elif trained_for:
                dataset.optimize.optimize_indices()
            dataset.cleanup_old_versions(OLD)

    def search(self, vector: Vectors, k: int) -> Found:
        from clipsearch.engine.rows import entries_of

        with _translated("search", self._url):
            dataset = self._opened()
            if dataset is None:
                return Found(Entries.from_entries([]), np.zeros(0, np.float32))
            query = stretched(vector[None], _direction(dataset), 1 / STRETCH)[0]
            nearest = {
                "column": "vector",
                "q": query.astype(np.float16),
                "k": k,
                "metric": "dot",
                "nprobes": PROBED,
                "refine_factor": math.ceil(COMPARED / k),
            }
            entries, vectors = entries_of(dataset.to_table(nearest=nearest))
        scores = vectors.astype(np.float32) @ query
        return Found(entries, scores)

    def count(self) -> int:
        with _translated("count", self._url):
            dataset = self._opened()
            return 0 if dataset is None else int(dataset.count_rows("vector IS NOT NULL"))

    def _opened(self) -> Any:
        """The newest version; None if the table does not exist."""
        import lance

        self._session = self._session or lance.Session(CACHE)
        try:
            return lance.dataset(self._url, session=self._session)
        except ValueError as error:
            if "not found" not in str(error).lower():
                raise
            return None

    def _made(self) -> Any:
        import lance

        from clipsearch.engine.rows import schema_of

        common = b"" if self._common is None else self._common.astype("<f4").tobytes()
        schema = schema_of(self._dim, {_COMMON: common.hex().encode()})
        try:
            return lance.write_dataset(schema.empty_table(), self._url, mode="create")
        except OSError:
            there = self._opened()  # another writer was first
            if there is None:
                raise
            return there

    def _train(self, dataset: Any, photos: int) -> None:
        codes = self._dim // NUMBERS_PER_BYTE
        dataset.create_index(
            "vector",
            "IVF_PQ",
            name=INDEX,
            metric="dot",
            replace=True,
            num_partitions=partitions_for(photos),
            num_sub_vectors=codes if codes * NUMBERS_PER_BYTE == self._dim else self._dim,
            sample_rate=VECTORS_PER_PARTITION,
        )
        dataset.update_config({_TRAINED_FOR: str(photos)})


def partitions_for(photos: int) -> int:
    """Into how many parts the vectors are divided: reading one takes about as long as another
    request."""
    return max(LEAST_PARTITIONS, round(math.sqrt(photos) / 2))


def stretched(vectors: Vectors, direction: Vectors | None, factor: float) -> Vectors:
    """`vectors` (n, d), `factor` times as long along `direction` (d,)."""
    if direction is None or not len(vectors):
        return vectors
    along = np.outer(vectors @ direction, direction)
    longer: Vectors = (vectors + (factor - 1) * along).astype(np.float32)
    return longer


def _direction(dataset: Any) -> Vectors | None:
    """(d,) of length 1."""
    stored = bytes.fromhex((dataset.schema.metadata or {}).get(_COMMON, b"").decode())
    common = np.frombuffer(stored, "<f4").astype(np.float32)
    length = float(np.linalg.norm(common)) if len(common) else 0.0
    return common / length if length else None


def _trained_for(dataset: Any) -> int:
    """How many photos there were when the index was trained; 0 without one.

    Lance splits and joins partitions later. Counting them would read the whole head of the index.
    """
    return int(dataset.config().get(_TRAINED_FOR, "0"))


@contextmanager
def _translated(what: str, url: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise StorageError(f"cannot {what} the mirror's table {url}: {error}") from error

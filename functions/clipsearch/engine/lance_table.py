"""A table of Lance (https://lance.org) as the engine: state on object storage, stateless readers.

The constants were measured with `make bench-engine`, see docs/engine.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np

from clipsearch.engine.lance_version import INDEX, LanceVersion
from clipsearch.engine.stretch import STRETCH, Vectors, stretched
from clipsearch.errors import StorageError
from clipsearch.index.format.entries import Entries
from clipsearch.storage import folder_path

# Fewer photos are read whole: 10 MB at 512 numbers.
LEAST_INDEXED = 10_000
# Of it, new rows that searches read whole. Indexing them writes the indexes of filters again: 44
# bytes for each photo of the library.
NEW = 0.1
NUMBERS_PER_BYTE = 4  # of a vector, in its code
VECTORS_PER_PARTITION = 64  # that are looked at to find its centre
TRAIN_AGAIN = 4  # when there are so many times the photos: then twice the partitions are right
LEAST_PARTITIONS = 8
RETRIES = 50  # of a merge, after another writer was first
OLD = timedelta(hours=12)  # versions of the table that no search reads any more
# Bytes of the index in memory: at 512 numbers 136 a photo, and what is not there is read again.
CACHE = 2 << 30
_TRAINED_FOR = "clipsearch.trained_for"  # photos
_COMMON = b"clipsearch:text_direction"  # float32; empty if unknown


class LanceTable:
    """The table at `url` (gs:// or file://).

    `dim`: of its vectors. `common` (dim,): the direction that texts share, None if unknown. An
    existing table keeps the direction that it was made with. `cache`: bytes of its indexes that
    stay in memory.
    """

    def __init__(
        self,
        url: str,
        dim: int,
        common: Vectors | None,
        least_indexed: int = LEAST_INDEXED,
        cache: int = CACHE,
    ) -> None:
        self._url = str(folder_path(url)) if url.startswith("file:") else url
        self._dim, self._common, self._least_indexed = dim, common, least_indexed
        self._cache = cache
        self._session: Any = None  # keeps what was read of the index, for all searches

    def make(self) -> None:
        with _translated("make", self._url):
            if self._opened() is None:
                self._make()

    def exists(self) -> bool:
        with _translated("look for", self._url):
            return self._opened() is not None

    def apply(self, entries: Entries) -> None:
        from clipsearch.engine.rows import WINS, table_of

        with _translated("apply to", self._url):
            dataset = self._there()
            vectors = stretched(entries.vectors, _direction(dataset), STRETCH)
            rows = table_of(entries, vectors, self._dim)
            merge = dataset.merge_insert("key").when_matched_update_all(WINS)
            merge.when_not_matched_insert_all().conflict_retries(RETRIES)
            # With the index of the keys, Lance 14 makes a schema with nullable keys and refuses it.
            merge.use_index(False).execute(rows)

    def improve(self) -> None:
        from clipsearch.engine.rows import INDEXED

        with _translated("improve", self._url):
            dataset = self._there()
            dataset.optimize.compact_files()
            photos = dataset.count_rows("vector IS NOT NULL")
            trained_for = _trained_for(dataset)
            # First: training brings only the index of the vectors up to date.
            if trained_for and _unindexed(dataset) >= self._least_indexed * NEW:
                dataset.optimize.optimize_indices()
            if photos >= max(self._least_indexed, TRAIN_AGAIN * trained_for):
                if not trained_for:
                    for column, kind in INDEXED.items():
                        dataset.create_scalar_index(column, kind)
                self._train(dataset, photos)
            dataset.cleanup_old_versions(OLD)

    def opened(self) -> LanceVersion:
        """Raises StorageError also if the table does not exist."""
        with _translated("open", self._url):
            dataset = self._there()
            return LanceVersion(dataset, self._url, _direction(dataset))

    def count(self) -> int:
        with _translated("count", self._url):
            dataset = self._opened()
            return 0 if dataset is None else int(dataset.count_rows("vector IS NOT NULL"))

    def _opened(self) -> Any:
        """The newest version; None if the table does not exist."""
        import lance

        self._session = self._session or lance.Session(self._cache)
        try:
            return lance.dataset(self._url, session=self._session)
        except ValueError as error:
            if "not found" not in str(error).lower():
                raise
            return None

    def _there(self) -> Any:
        """The newest version; raises ValueError if the table does not exist."""
        dataset = self._opened()
        if dataset is None:
            raise ValueError("it does not exist")
        return dataset

    def _make(self) -> None:
        import lance

        from clipsearch.engine.rows import schema_of

        common = b"" if self._common is None else self._common.astype("<f4").tobytes()
        schema = schema_of(self._dim, {_COMMON: common.hex().encode()})
        try:
            lance.write_dataset(schema.empty_table(), self._url, mode="create")
        except OSError:
            if self._opened() is None:  # else another writer was first
                raise

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


def _direction(dataset: Any) -> Vectors | None:
    """(d,) of length 1."""
    stored = bytes.fromhex((dataset.schema.metadata or {}).get(_COMMON, b"").decode())
    common = np.frombuffer(stored, "<f4").astype(np.float32)
    length = float(np.linalg.norm(common)) if len(common) else 0.0
    return common / length if length else None


def _unindexed(dataset: Any) -> int:
    """How many rows are not in the index of the vectors."""
    indexed = sum(i.num_rows_indexed for i in dataset.describe_indices() if i.name == INDEX)
    return int(dataset.count_rows() - indexed)


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

"""The rows of packs, most of what a cold reader reads, on their way while it does other things."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from clipsearch.errors import DamagedObject, ObjectNotFound
from clipsearch.index.format.packs import Halves, read_rows
from clipsearch.storage import Bucket

# Requests at a time for a quantizer, of which there is nearly always one; and beside those for the
# heads, which are wanted first: there is work to do with them. With more a million photos take
# longer, up to a tenth, on two cores.
ROW_READERS, BESIDE_HEADS = 4, 2


class RowPrefetch:
    """The rows of packs, which come to one piece of memory, one pack after the other."""

    def __init__(self, bucket: Bucket, sizes: Mapping[str, int]) -> None:
        """`sizes`: the packs, and how many bytes their rows are."""
        self.sizes = sizes
        self._bucket = bucket
        self._turns = threading.Semaphore(BESIDE_HEADS)
        self._has_stopped = False
        self._memory = np.empty(sum(sizes.values()), np.uint8)
        self._pool = ThreadPoolExecutor(ROW_READERS, "clipsearch-rows")
        ends = itertools.accumulate(sizes.values())
        self._reads: list[Future[int]] = [
            self._pool.submit(self._read, pack, self._memory[end - size : end])
            for (pack, size), end in zip(sizes.items(), ends, strict=True)
        ]

    def _read(self, pack: str, into: npt.NDArray[np.uint8]) -> int:
        with self._turns:
            if self._has_stopped:  # while it was waiting, when nobody can cancel it
                raise CancelledError
            return read_rows(self._bucket, pack, into)

    def hurry(self) -> None:
        """Nothing else is read any more."""
        self._turns.release(ROW_READERS - BESIDE_HEADS)

    def checksums(self) -> dict[str, int | DamagedObject | ObjectNotFound]:
        """Of the rows of each pack once they are here, or how it was found. Raises StorageError."""
        found: dict[str, int | DamagedObject | ObjectNotFound] = {}
        for pack, read in zip(self.sizes, self._reads, strict=True):
            try:
                found[pack] = read.result()
            except (DamagedObject, ObjectNotFound) as problem:
                found[pack] = problem
        return found

    def vectors(self, dimension: int) -> Halves:
        """All rows (m, dimension), whether they could be read or not."""
        return self._memory.view(np.float16).reshape(-1, dimension)

    def stop(self) -> None:
        """Nothing comes any more."""
        self._has_stopped = True
        self._pool.shutdown(cancel_futures=True)

"""Reads the rows of packs in the background; they are most of a cold reader's bytes."""

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

# Parallel requests per quantizer (a space nearly always has one), and their limit while heads are
# read. Heads come first, because they need processing. More requests made a million photos up to
# 10% slower on two cores.
ROW_READERS, BESIDE_HEADS = 4, 2


class RowPrefetch:
    """Reads the rows of packs into one array, concatenated in order."""

    def __init__(self, bucket: Bucket, sizes: Mapping[str, int]) -> None:
        """`sizes`: bytes of the rows by pack."""
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
            if self._has_stopped:  # stop() cannot cancel a read that waits here
                raise CancelledError
            return read_rows(self._bucket, pack, into)

    def hurry(self) -> None:
        """Use all row readers: the heads are read."""
        self._turns.release(ROW_READERS - BESIDE_HEADS)

    def checksums(self) -> dict[str, int | DamagedObject | ObjectNotFound]:
        """Wait for the rows; the checksum or the error of each pack. Raises StorageError."""
        found: dict[str, int | DamagedObject | ObjectNotFound] = {}
        for pack, read in zip(self.sizes, self._reads, strict=True):
            try:
                found[pack] = read.result()
            except (DamagedObject, ObjectNotFound) as problem:
                found[pack] = problem
        return found

    def vectors(self, dimension: int) -> Halves:
        """All rows (m, dimension), including those of packs that failed."""
        return self._memory.view(np.float16).reshape(-1, dimension)

    def stop(self) -> None:
        """Cancel the reads that have not started, and wait for the others."""
        self._has_stopped = True
        self._pool.shutdown(cancel_futures=True)

# numpy at the top: import this module inside functions only (nothing heavy before the fork).
"""The rows of packs, most of what a cold reader reads, on their way while it does other things."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np
import numpy.typing as npt

from clipsearch.errors import DamagedObject, ObjectNotFound
from clipsearch.packfile import WRONG_ROWS, Halves, PackHead, parse_pack_path, read_rows
from clipsearch.storage import Bucket

# Requests at a time, and beside those for the heads, which are wanted first: there is work to do
# with them. With more a million photos take longer, up to a tenth, on two cores.
ROW_READERS, BESIDE_HEADS = 4, 2


class ComingRows:
    """The rows of packs, which come to one piece of memory, one pack after the other."""

    def __init__(self, bucket: Bucket, packs: Sequence[str]) -> None:
        """`packs`: their names, which tell how long the rows are."""
        self._bucket = bucket
        self._pool = ThreadPoolExecutor(ROW_READERS, "clipsearch-rows")
        self._turns = threading.Semaphore(BESIDE_HEADS)
        self._begin(packs)

    def _begin(self, packs: Sequence[str]) -> None:
        self.packs = packs
        sizes = [said.size if (said := parse_pack_path(pack)) else 0 for pack in packs]
        self._memory = np.empty(sum(sizes), np.uint8)
        self._reads: list[Future[int]] = [
            self._pool.submit(self._read, pack, self._memory[end - size : end])
            for pack, size, end in zip(packs, sizes, itertools.accumulate(sizes), strict=True)
        ]

    def _read(self, pack: str, into: npt.NDArray[np.uint8]) -> int:
        with self._turns:
            return read_rows(self._bucket, pack, into)

    def hurry(self) -> None:
        """Nothing else is read any more."""
        self._turns.release(ROW_READERS - BESIDE_HEADS)

    def keep(self, packs: Sequence[str]) -> None:
        """Only these. If that leaves any out, from the beginning: no head tells how many
        vectors lie between."""
        if packs == self.packs:
            return
        for read in self._reads:
            read.cancel()
        wait(self._reads)
        self._memory = np.empty(0, np.uint8)  # before there is another
        self._begin(packs)

    def problems(self, heads: Sequence[PackHead]) -> list[DamagedObject | ObjectNotFound | None]:
        """What is wrong with the rows of each pack, once they are here. Raises StorageError."""
        found: list[DamagedObject | ObjectNotFound | None] = []
        for head, read in zip(heads, self._reads, strict=True):
            try:
                is_right = read.result() == head.checksum
                found.append(None if is_right else DamagedObject(head.path, WRONG_ROWS))
            except (DamagedObject, ObjectNotFound) as problem:
                found.append(problem)
        return found

    def vectors(self, dimension: int) -> Halves:
        """All rows (m, dimension), whether they could be read or not."""
        return self._memory.view(np.float16).reshape(-1, dimension)

    def stop(self) -> None:
        """Nothing comes any more."""
        self._pool.shutdown(cancel_futures=True)

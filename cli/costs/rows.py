"""Where `search` has the vectors, and what a search then needs: memory, seconds, requests.

memory   in the memory of each instance
bucket   in the bucket (CLIPSEARCH_ROWS=bucket): codes in memory select the rows that are read
lance    in a table of Lance (CLIPSEARCH_ENGINE=lance): index and rows are read
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cli.common.errors import UsageError
from cli.costs import assumptions as a
from cli.costs.prices import usd

ROWS = ("memory", "bucket", "lance")
_NAMES = {"memory": "rows in memory", "bucket": "rows in the bucket", "lance": "a table of Lance"}


@dataclass(frozen=True, slots=True)
class Search:
    """An instance of `search`, and one search.

    `search_s`, `cold_s`: seconds of a search, and of the first of a process. `cpu_s`: of one core,
    for the most expensive search. `reads`, `most_reads`: of vectors. `listings`: besides the one
    that looks for new photos.
    """

    rows: str
    cpu: int
    gib: int
    search_s: float
    cold_s: float
    cpu_s: float
    reads: int = 0
    most_reads: int = 0
    listings: int = 0

    @property
    def warm_usd(self) -> float:
        """Dollars a month, for an instance that always waits (min_instances = 1)."""
        return a.MONTH_S * usd("idle_second") * (self.cpu + self.gib)

    def text(self) -> str:
        return (
            f"search: {self.cpu} vCPU, {self.gib} GiB, {_NAMES[self.rows]}. A search takes "
            f"{_seconds(self.search_s)}, the first {_seconds(self.cold_s)}. "
            f"Kept warm: ${self.warm_usd:,.0f} a month."
        )


def search_of(photos: int, rows: str) -> Search:
    """Raises UsageError if no instance has enough memory."""
    if rows == "lance":
        return _of_lance(photos)
    cold_s = a.COLD_S + photos * a.COLD_S_PER_PHOTO
    in_bucket = rows == "bucket" and photos > a.LEAST_IN_PACKS
    cpu, gib = _size(photos, rows, a.BUCKET_BYTES if in_bucket else a.MEMORY_BYTES)
    if not in_bucket:
        return Search("memory", cpu, gib, a.WARM_S, cold_s, a.SEARCH_CPU / a.SEARCHES_PER_S)
    return Search(
        rows,
        cpu,
        gib,
        a.BUCKET_S,
        cold_s + a.BUCKET_S,
        a.MOST_BUCKET_CPU_S,
        a.BUCKET_READS,
        a.MOST_BUCKET_READS,
    )


def lance_read_bytes(photos: int) -> float:
    """Of the index of the table, for a search with nothing in memory."""
    return a.LANCE_READ_BYTES_PER_ROOT * math.sqrt(photos)


def _of_lance(photos: int) -> Search:
    read = lance_read_bytes(photos)
    search_s = a.LANCE_S + read / a.LANCE_BYTES_PER_S
    cpu_s = a.SEARCH_CPU / a.SEARCHES_PER_S + read * a.LANCE_CPU_S_PER_BYTE
    cold_s = a.COLD_S + a.LANCE_OPEN_S + search_s
    cpu, gib = next(it for it in a.SEARCH_SIZES if it[1] > a.LANCE_CACHE_GIB)
    reads = a.LANCE_READS
    return Search("lance", cpu, gib, search_s, cold_s, cpu_s, reads, reads, a.LANCE_LISTINGS)


def _size(photos: int, rows: str, each: int) -> tuple[int, int]:
    """vCPU and GiB, for `each` bytes of a photo."""
    needed = (a.PROCESS_BYTES + photos * each) / a.GIB
    for cpu, gib in a.SEARCH_SIZES:
        if needed <= gib:
            return cpu, gib
    most = a.SEARCH_SIZES[-1][1]
    others = "--rows bucket or --rows lance" if rows == "memory" else "--rows lance"
    raise UsageError(
        f"{photos:,} photos need {needed:,.0f} GiB of memory with --rows {rows}, and search has at "
        f"most {most}: use {others}; see docs/scale.md"
    )


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"

"""One version of a table of Lance, for searches: later versions do not change what they find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from clipsearch.engine.protocol import Candidates, Keys, Vectors
from clipsearch.engine.stretch import STRETCH, stretched
from clipsearch.engine.where import behind, key_below, one_of, where
from clipsearch.errors import RowsLost
from clipsearch.index.format.entries import Cause, Entries, Kind, key_of, keys_of
from clipsearch.index.search.filter import Filter

# Partitions that a search reads: two requests each, if they are not in memory.
PROBED = 88
INDEX = "vectors"
# New rows that the index lacks are read whole: 2.2 MB at 512 numbers. More there are only where
# indexing failed.
FRESH = 2_000
# So many photos that fit a filter are all compared. Of more, the vectors' index finds candidates.
ALL_COMPARED = 480
KEYS_AT_ONCE = 2000
FAILURES_READ = 10_000  # of more, /status lists none of the table
# Dates that are read to find where a list by date ends.
DATES_READ = 20_000
DATED = 1024  # photos whose dates say where a list by date begins
# Seconds from 1970: all dates of photos are between them.
DATES = -(2**44), 2**44

_IS_PHOTO, _FAILED = f"kind = {Kind.VECTOR.value}", f"kind = {Kind.FAILURE.value}"
_SKIPPED = f"pixels = {Cause.SKIPPED.value}"


class LanceVersion:
    """See Opened. `direction` (dim,): along which the indexed vectors are stretched; None: they are
    not."""

    def __init__(self, dataset: Any, url: str, direction: Vectors | None) -> None:
        self._dataset, self._url, self._direction = dataset, url, direction
        self.lost = False
        with self._reading():
            self.photos = self._count(_IS_PHOTO)
            self.failures = self._count(_FAILED)
            self.skipped = self._count(f"{_FAILED} AND {_SKIPPED}")
            self._fresh = _fresh(dataset)

    def entries_of(self, keys: Keys) -> Entries:
        with self._reading():
            parts = self._of_keys(keys, ["told"], "")
            return Entries.concat([self._entries(rows).without_vectors() for rows in parts])

    def photos_of(self, keys: Keys) -> Entries:
        with self._reading():
            parts = self._of_keys(keys, ["told"], f" AND {_IS_PHOTO}")
            return Entries.concat([self._entries(rows) for rows in parts])

    def best(self, vector: Vectors, k: int, filter: Filter) -> Candidates:
        condition = where(filter)
        with self._reading():
            few = max(k, ALL_COMPARED)
            count = self.photos if filter.is_all else self._count(condition)
            if count <= few:
                return Candidates(self._entries(self._rows(["told"], filter=condition)), True)
            query = stretched(vector[None], self._direction, 1 / STRETCH)[0]
            nearest: dict[str, Any] = {
                "column": "vector",
                "q": query.astype(np.float16),
                "k": k,
                "metric": "dot",
                "minimum_nprobes": PROBED,
            }
            limits: dict[str, Any] = {"filter": condition, "prefilter": True}
            if filter.is_all:
                nearest["maximum_nprobes"], limits = PROBED, {}
            if self._fresh is not None:  # else Lance reads the vector of each candidate, too
                limits["fast_search"] = True
            rows = [self._rows(["told", "_distance"], nearest=nearest, **limits)]
            if self._fresh:
                scanner = self._dataset.scanner(["told"], condition, fragments=self._fresh)
                rows.append(scanner.to_table())
            return Candidates(Entries.concat([self._entries(each) for each in rows]), False)

    def by_date(
        self, count: int, after: tuple[int, str] | None, filter: Filter, oldest: bool
    ) -> Entries:
        with self._reading():
            condition = where(filter)
            if after is not None:
                condition += f" AND {behind(*after, oldest)}"
            condition += self._until(condition, count, oldest)
            rows = self._rows(["date", "name"], filter=condition)
            sign = 1 if oldest else -1
            dates = (sign * rows["date"].to_numpy()).tolist()
            first = sorted(zip(dates, rows["name"].to_pylist(), strict=True))[:count]
        return self.photos_of(keys_of([name for _, name in first]))

    def count(self, filter: Filter) -> int:
        with self._reading():
            return self._count(where(filter))

    def failed(self, count: int) -> Entries:
        with self._reading():
            if self.failures - self.skipped > FAILURES_READ:
                return Entries.from_entries([])
            rows = self._rows(["name", "written"], filter=f"{_FAILED} AND NOT ({_SKIPPED})")
            newest = np.argsort(-rows["written"].to_numpy(), kind="stable")[:count]
            names = rows["name"].to_pylist()
            keys = keys_of([names[place] for place in newest.tolist()])
            parts = self._of_keys(keys, ["told", "reason"], f" AND {_FAILED}")
            return Entries.concat([self._entries(rows) for rows in parts])

    def sample(self, count: int) -> Vectors:
        with self._reading():
            rows = self._rows(["told"], filter=_IS_PHOTO + self._sampled(count))
            return self._entries(rows).vectors

    def _sampled(self, count: int) -> str:
        """The condition of about `count` of all photos. Keys are hashes: the smallest are of a
        sample that hardly changes."""
        if count >= self.photos:
            return ""
        return f" AND {key_below(round(2**64 * count / self.photos))}"

    def _until(self, condition: str, count: int, oldest: bool) -> str:
        """What limits the photos that fit to the first `count` by date, and those of the second of
        the last one; to all, if few fit.

        Counts of many photos take long. So it begins with the dates of a sample.
        """
        sign, end = ("<=", min(DATES)) if oldest else (">=", max(DATES))

        def counted(date: int) -> int:
            return self._count(f"{condition} AND date {sign} {date}")

        rows = self._rows(["date"], filter=condition + self._sampled(DATED))
        dates = sorted(rows["date"].to_pylist(), reverse=not oldest)
        outside, found, step = end, 0, 0  # up to there are too few
        while step < len(dates) and (found := counted(dates[step])) < count:
            outside, step = dates[step], 2 * step + 1
        if step >= len(dates):
            return ""
        inside = dates[step]
        while found > DATES_READ and abs(outside - inside) > 1:
            date = (inside + outside) // 2
            if (here := counted(date)) < count:
                outside = date
            else:
                inside, found = date, here
        if found <= DATES_READ:
            rows = self._rows(["date"], filter=f"{condition} AND date {sign} {inside}")
            inside = sorted(rows["date"].to_pylist(), reverse=not oldest)[count - 1]
        return f" AND date {sign} {inside}"

    def _entries(self, rows: Any) -> Entries:
        """Of rows with `told`, and `reason` if it is wanted."""
        from clipsearch.engine.rows import NAME_ROOM, entries_of, told_of

        told = told_of(rows)
        long: dict[tuple[int, ...], bytes] = {}
        for found in self._of_keys(told["key"][told["length"] > NAME_ROOM], ["name"], ""):
            long |= {key_of(name): name.encode() for name in found["name"].to_pylist()}
        reasons = rows["reason"].to_pylist() if "reason" in rows.column_names else ()
        return entries_of(told, long, reasons)

    def _of_keys(self, keys: Keys, columns: list[str], more: str) -> Iterator[Any]:
        for begin in range(0, len(keys), KEYS_AT_ONCE):
            yield self._rows(columns, filter=one_of(keys[begin : begin + KEYS_AT_ONCE]) + more)

    def _rows(self, columns: list[str], **asked: Any) -> Any:
        return self._dataset.to_table(columns=columns, **asked)

    def _count(self, condition: str) -> int:
        return int(self._dataset.count_rows(condition))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            self.lost = True
            raise RowsLost(self._url, str(error)) from error


def _fresh(dataset: Any) -> list[Any] | None:
    """The fragments that the index of the vectors lacks; None if it must be asked for them: without
    an index, or if they have more than FRESH rows."""
    found = [index for index in dataset.describe_indices() if index.name == INDEX]
    segments = [segment for index in found for segment in index.segments]
    indexed = {number for segment in segments for number in segment.fragment_ids}
    fragments = [it for it in dataset.get_fragments() if it.fragment_id not in indexed]
    rows = sum(fragment.count_rows() for fragment in fragments)
    return fragments if found and rows <= FRESH else None

"""Which segments and which commit there are, at few requests.

An idle search costs mostly its listings. So a look lists only the newest names of segments, and
commits only when a merge may have ended. What it misses, a later look finds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from clipsearch.errors import DamagedObject
from clipsearch.index.format.commits import Commit, commit_number, list_commits, read_commit
from clipsearch.index.format.segments import is_segment_name, segments_prefix, time_of
from clipsearch.storage import Bucket

# Seconds. Writers' clocks may differ by this much, and a slow write may take this long.
OVERLAP_S = 60.0
# Seconds between listings of all segments. They find names from clocks that are wrong by more.
WHOLE_EVERY_S = 60.0
# Seconds between listings of commits, unless a segment of a merge appears.
COMMITS_EVERY_S = 30.0
# Bytes. The segment of one upload is smaller; a larger one may be of a merge. The commit says so
# and saves reading it.
LARGE = 16 << 10


@dataclass(frozen=True, slots=True)
class Seen:
    """`segments`: names; some may be gone. `commit`: the newest readable one, some seconds old at
    most. `damaged`: reason by name of each newer commit that is unreadable."""

    segments: frozenset[str] = frozenset()
    commit: Commit = field(default_factory=lambda: Commit("", 0))
    damaged: Mapping[str, str] = field(default_factory=dict)


class Watch:
    """Looks at one space again and again. Not thread-safe."""

    def __init__(self, bucket: Bucket, space: str) -> None:
        self._bucket, self._space = bucket, space
        self._seen = Seen()
        self._whole_at = self._commits_at = float("-inf")
        self._read: dict[str, Commit] = {}  # the newest commit by its object name; it never changes

    def look(self, afresh: bool = False) -> Seen:
        """`afresh`: list everything. Raises ObjectNotFound if a commit vanished, StorageError."""
        now = time.time()  # monotonic() may stop while the machine sleeps
        # List segments before reading the commit, which names later merges.
        begin = "" if afresh or _is_due(now, self._whole_at, WHOLE_EVERY_S) else self._begin(now)
        listed = self._segments(begin)
        before = self._seen.segments
        kept = {name for name in before if name < begin}
        is_merge = any(size > LARGE for name, size in listed.items() if name not in before)
        seen = Seen(frozenset(kept | listed.keys()), self._seen.commit, self._seen.damaged)
        if afresh or is_merge or _is_due(now, self._commits_at, COMMITS_EVERY_S):
            seen = Seen(seen.segments, *self._newest_commit())
            self._commits_at = now
        self._whole_at = self._whole_at if begin else now
        self._seen = seen
        return seen

    def _begin(self, now: float) -> str:
        """The name to list from: OVERLAP_S before the newest, or before now if that is ahead."""
        newest = time_of(max(self._seen.segments, default="0"))  # names sort by time
        return f"{max(0, int(min(newest, 1e6 * now) - 1e6 * OVERLAP_S)):016x}"

    def _segments(self, begin: str) -> dict[str, int]:
        """The size of each segment from the name `begin` on."""
        prefix = segments_prefix(self._space)
        found = self._bucket.list(prefix, prefix + begin if begin else "")
        sizes = {stat.name.removeprefix(prefix): stat.size for stat in found}
        return {name: size for name, size in sizes.items() if is_segment_name(name)}

    def _newest_commit(self) -> tuple[Commit, dict[str, str]]:
        """The newest readable commit, and the damage of newer ones by object name."""
        damaged: dict[str, str] = {}
        for stat in reversed(list_commits(self._bucket, self._space)):
            try:
                commit = self._read.get(stat.name) or read_commit(
                    self._bucket, self._space, stat.name
                )
            except DamagedObject as problem:
                damaged[problem.name] = problem.reason
                continue
            self._read = {stat.name: commit}
            return commit, damaged
        numbers = [commit_number(name, self._space) for name in damaged]
        return Commit(self._space, max((number or 0 for number in numbers), default=0)), damaged


def _is_due(now: float, last: float, every: float) -> bool:
    return not 0 <= now - last < every  # the clock may have been set back

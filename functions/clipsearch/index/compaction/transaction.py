"""Transactions: what lies in the bucket, what the commits say of it, and how a commit follows.

Readers need less: SnapshotReader.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from clipsearch.errors import DamagedObject, ObjectExists, ObjectNotFound, StorageError
from clipsearch.index.format.commits import (
    MAX_NUMBER,
    Commit,
    commit_number,
    commit_path,
    list_commits,
    newest_commit,
    publish_commit,
    read_commit,
)
from clipsearch.index.format.segments import is_segment_name, segments_prefix
from clipsearch.storage import Bucket, Stat

RACES = 20  # that one run may lose

_log = logging.getLogger("clipsearch")


@dataclass(frozen=True, slots=True)
class Inventory:
    """The segments that were in the bucket at `taken` (time.time()), by name, and the newest
    commit after that."""

    listed: Mapping[str, Stat]
    commit: Commit
    taken: float

    def loose(self) -> list[str]:
        """Segments that no commit knows: from ingest, or left by somebody who lost or died."""
        known = {*self.commit.segments, *self.commit.replaced}
        return sorted(self.listed.keys() - known)


def read_inventory(bucket: Bucket, space: str) -> Inventory:
    """Lists all segments: a request per thousand. Raises StorageError."""
    taken = time.time()
    prefix = segments_prefix(space)
    stats = {stat.name.removeprefix(prefix): stat for stat in bucket.list(prefix)}
    listed = {name: stat for name, stat in stats.items() if is_segment_name(name)}
    return Inventory(listed, newest_or_blank(bucket, space), taken)


def newest_or_blank(bucket: Bucket, space: str) -> Commit:
    """The newest commit; if it is damaged, one of its number that knows nothing.

    Blank is never wrong: all segment objects of the bucket together always give the right
    index (see compaction/__init__.py). What the damaged commit had merged is only merged once more.
    """
    try:
        return newest_commit(bucket, space)
    except DamagedObject as damaged:
        _log.error("the index %r starts over from its segments: %s", space, damaged)
        return Commit(space, commit_number(damaged.name, space))


def succeed_damaged_commit(bucket: Bucket, space: str, deadline: float) -> None:
    """If the newest commit is damaged, publish one that knows nothing: then nobody needs the
    damaged one any more, and it is no longer in /status."""
    try:
        newest_commit(bucket, space)
    except DamagedObject:
        advance(bucket, space, lambda blank: None if blank.created else blank, deadline)


def settled_commit(
    bucket: Bucket, space: str, is_settled: Callable[[Stat], bool]
) -> tuple[Commit | None, list[str]]:
    """The newest commit that `is_settled`, if there is one, and the objects of those before it."""
    paths = [stat.name for stat in list_commits(bucket, space) if is_settled(stat)]
    if not paths:
        return None, []
    try:
        return read_commit(bucket, space, paths[-1]), paths[:-1]
    except (DamagedObject, ObjectNotFound):  # another run has swept it
        return None, []  # a later one will be settled, too


def advance(
    bucket: Bucket,
    space: str,
    change: Callable[[Commit], Commit | None],
    deadline: float = float("inf"),
) -> Commit | None:
    """Publish what `change` makes of the newest commit, as the next number.

    Whoever loses the race for the number reads the newest commit and changes that. None if
    `change` has nothing to say any more, because others were faster; or if they were faster
    until `deadline` (time.monotonic()), after which nothing is tried again. Raises StorageError.
    """
    for _ in range(RACES):
        newest = newest_or_blank(bucket, space)
        changed = change(newest)
        if changed is None:
            return None
        if newest.number == MAX_NUMBER:
            path = commit_path(space, newest.number)
            raise StorageError(f"no commit can follow {path!r} in {bucket.url}: delete it")
        following = replace(changed, number=newest.number + 1, created=None)
        try:
            publish_commit(bucket, following)
        except ObjectExists:
            if time.monotonic() >= deadline:
                return None
            continue
        return following
    raise StorageError(f"others published a commit of {space!r} first, {RACES} times in a row")

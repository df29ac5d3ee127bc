"""Transactions: lists segments, reads the newest commit and publishes the next one.

Readers need less; see SnapshotReader.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from clipsearch.errors import (
    DamagedObject,
    ObjectExists,
    ObjectNotFound,
    StorageError,
    UnknownFormat,
)
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

RACES = 20  # races for a commit number that a run may lose in a row

_log = logging.getLogger("clipsearch")


@dataclass(frozen=True, slots=True)
class Inventory:
    """The segments in the bucket at `taken` (time.time()), by name, and the newest commit,
    read after that."""

    listed: Mapping[str, Stat]
    commit: Commit
    taken: float

    def loose(self) -> list[str]:
        """Segments in no commit: from ingest, or from a run that lost a race or was killed."""
        known = {*self.commit.segments, *self.commit.replaced}
        return sorted(self.listed.keys() - known)


def read_inventory(bucket: Bucket, space: str) -> Inventory:
    """List all segments, one request per thousand. Raises StorageError."""
    taken = time.time()
    prefix = segments_prefix(space)
    stats = {stat.name.removeprefix(prefix): stat for stat in bucket.list(prefix)}
    listed = {name: stat for name, stat in stats.items() if is_segment_name(name)}
    return Inventory(listed, newest_or_blank(bucket, space), taken)


def newest_or_blank(bucket: Bucket, space: str) -> Commit:
    """The newest commit; if it is damaged, an empty commit with its number.

    An empty commit is always correct: all segments together are the right index (see
    compaction/__init__.py). Compaction only repeats the merges of the damaged commit.
    Raises UnknownFormat for the commit of a newer version: a commit after it would discard it.
    """
    try:
        return newest_commit(bucket, space)
    except UnknownFormat:
        raise
    except DamagedObject as damaged:
        _log.error("the index of space %r is rebuilt from its segments: %s", space, damaged)
        return Commit(space, commit_number(damaged.name, space))


def succeed_damaged_commit(bucket: Bucket, space: str, deadline: float) -> None:
    """If the newest commit is damaged, publish an empty one after it. Then readers no longer
    read the damaged one, and /status no longer lists it. Raises UnknownFormat."""
    try:
        newest_commit(bucket, space)
    except DamagedObject:
        advance(bucket, space, lambda blank: None if blank.created else blank, deadline)


def settled_commit(
    bucket: Bucket, space: str, is_settled: Callable[[Stat], bool]
) -> tuple[Commit | None, list[str]]:
    """The newest commit that `is_settled` (or None), and the object names of older commits."""
    paths = [stat.name for stat in list_commits(bucket, space) if is_settled(stat)]
    if not paths:
        return None, []
    try:
        return read_commit(bucket, space, paths[-1]), paths[:-1]
    except (DamagedObject, ObjectNotFound):  # damaged, or swept by another run
        return None, []  # a later run finds a later settled commit


def advance(
    bucket: Bucket,
    space: str,
    change: Callable[[Commit], Commit | None],
    deadline: float = float("inf"),
) -> Commit | None:
    """Publish `change(newest commit)` under the next number.

    After a lost race for the number, reads the newest commit and retries. Returns None if
    `change` returns None, because another run was faster. Also returns None after a lost race
    past `deadline` (time.monotonic()). Raises StorageError after RACES lost races, and
    UnknownFormat as newest_or_blank().
    """
    for _ in range(RACES):
        newest = newest_or_blank(bucket, space)
        changed = change(newest)
        if changed is None:
            return None
        if newest.number == MAX_NUMBER:
            path = commit_path(space, newest.number)
            raise StorageError(f"{path!r} in {bucket.url} has the highest number: delete it")
        following = replace(changed, number=newest.number + 1, created=None)
        try:
            publish_commit(bucket, following)
        except ObjectExists:
            if time.monotonic() >= deadline:
                return None
            continue
        return following
    raise StorageError(f"other runs published a commit of {space!r} first, {RACES} times in a row")

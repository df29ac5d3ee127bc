"""Compaction: merges many small segments into few large ones, concurrently with reads and writes.

Size-tiered, as in an LSM tree: FANOUT segments of one tier become one of the next, until a
segment is full. So an entry is written once per tier: log(MAX_SEGMENT) / log(FANOUT) = 4 times,
plus once if it arrived alone. A cold reader opens at most FANOUT - 1 segments per tier, and the
full ones. A merge reads its sources, writes one segment and publishes one commit. That costs one
read and one later delete per source, and five requests. Any number of runs may work at once,
and each may be killed anywhere.

Why no entry is lost and no deleted photo returns:

* The index is the union of all segment objects in the bucket. Commits only say which of them
  a reader may skip. Every step preserves this:
* A merged segment has every winning entry of its sources. Before its commit it is one more loose
  segment, which the merge rule makes harmless. If another run merges a source first, the new
  segment stays loose and is merged later.
* Only objects that a commit older than GRACE had replaced are deleted (vacuum.py).
* An unreadable segment stays until it was unreadable for a whole reconcile (vacuum.py). What a
  newer version wrote stays. After its commit, only versions that can read it write the next.
* A tombstone survives every merge. Only the purge drops it (purge.py), under two conditions.
  It is older than TOMBSTONES, so no event can bring an older state of the photo. And no other
  object in the bucket, including replaced ones, has an entry for the photo.
* A running merge may still write an older entry. Its source was not replaced when the merge
  began, and stays for GRACE after it is. So no merge may take longer than GRACE.

Memory: a merge holds its sources and the result, then the result twice. That is 2 x 140 MB for
65,536 vectors of 512 numbers, and below 400 MB for the whole process.
"""

from __future__ import annotations

import logging
from datetime import datetime

from clipsearch.errors import UnknownFormat
from clipsearch.index.compaction.build_packs import pack_all
from clipsearch.index.compaction.merge import merge_all
from clipsearch.index.compaction.purge import purge_tombstones
from clipsearch.index.compaction.run import Report, Run
from clipsearch.index.compaction.transaction import succeed_damaged_commit
from clipsearch.index.compaction.vacuum import discard, sweep
from clipsearch.storage import Bucket

__all__ = ["Report", "compact", "discard"]

_log = logging.getLogger("clipsearch")


def compact(bucket: Bucket, space: str, deadline: float, now: datetime) -> Report:
    """Merge, purge, clean up and pack the index of `space` until nothing is left to do.

    Starts no step that would end after `deadline` (time.monotonic()). `now`: compared with the
    times of objects and entries. Raises StorageError. A failed or killed run loses nothing, and
    the next one continues. Stops where the newest commit is of a newer version.
    """
    run = Run(bucket, space, deadline, now)
    try:
        succeed_damaged_commit(bucket, space, deadline)
        sweep(run)
        # Pack even if merging is unfinished: a large index without packs is slow.
        run.report.finished = all([merge_all(run) and purge_tombstones(run), pack_all(run)])
    except UnknownFormat as newer:
        _log.error("compaction stops: %s", newer)
        run.report.damaged += (f"{newer.name}: {newer.reason}",)
    return run.report

"""Compaction: many small segments become few large ones, while everybody reads and writes.

Size-tiered, as in an LSM tree: FANOUT segments of one tier become one of the next, until a
segment is full. So an entry is written once per tier, log(MAX_SEGMENT) / log(FANOUT) = 4
times and once more if it came alone, and a cold reader opens at most FANOUT - 1 segments a
tier beside the full ones. A merge reads its sources, writes one segment and publishes one
commit: a request per source, its later deletion, and five more. Any number of runs may go on
at once and be killed anywhere.

Why nothing is lost and nothing comes back:

* The truth is the union of all segment objects in the bucket. Commits only say which of
  them a reader may leave out. Every step keeps this true:
* A merged segment has everything that counts among its sources. Before its commit it is one
  loose segment more, which the merge rule makes harmless. If others have merged a source by
  then, it stays loose, and is merged like any other later on.
* Nothing is deleted but what a commit older than GRACE had replaced (vacuum.py).
* A segment that nobody can read is left as it is until a whole reconcile has done without it
  (vacuum.py).
* A tombstone survives every merge. Only the purge drops it (purge.py): when it is older than
  TOMBSTONES, so that no event can bring older news of the photo, and no object in the bucket,
  replaced ones included, says anything else about the photo. A merge under way that might
  still write something older has read it from such an object: one that was not replaced when
  the merge began, and stays for GRACE after it is. So no merge may last that long.

Memory: a merge holds its sources and the result, then the result twice: 2 x 140 MB for
65,536 vectors of 512 numbers, and less than 400 MB with all that a process has besides.
"""

from __future__ import annotations

from datetime import datetime

from clipsearch.index.compaction.build_packs import pack_all
from clipsearch.index.compaction.merge import merge_all
from clipsearch.index.compaction.purge import purge_tombstones
from clipsearch.index.compaction.run import Report, Run
from clipsearch.index.compaction.transaction import succeed_damaged_commit
from clipsearch.index.compaction.vacuum import discard, sweep
from clipsearch.storage import Bucket

__all__ = ["Report", "compact", "discard"]


def compact(bucket: Bucket, space: str, deadline: float, now: datetime) -> Report:
    """Merge, purge, clean up and pack the index of `space` until nothing is left to do.

    Ends about at `deadline` (time.monotonic()): what takes longer is not begun. `now` is
    compared with times of the storage and of entries. Raises StorageError; a run that failed
    or was killed has lost nothing, and the next one goes on.
    """
    run = Run(bucket, space, deadline, now)
    succeed_damaged_commit(bucket, space, deadline)
    sweep(run)
    # Packing does not wait for the others: without packs, a large index is a slow one.
    run.report.finished = all([merge_all(run) and purge_tombstones(run), pack_all(run)])
    return run.report

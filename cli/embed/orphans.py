"""Removes photos from the index that are gone from the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from cli.embed.job import Job, services_of
from clipsearch.errors import ObjectNotFound
from ingest.indexing import remove_photos
from ingest.pool import request_pool
from ingest.reconcile.witness import Witness

# More are gone from an empty bucket: most likely a mistake, such as a drive that is not mounted.
GONE_AT_ONCE = 20


def remove_orphans(job: Job, orphans: Sequence[tuple[str, int]]) -> int:
    """Write tombstones for those that are really gone; returns how many. Raises StorageError.

    Each photo is looked for once more. So no order of the steps can remove one that is there.
    """
    services = services_of(job)
    with request_pool() as pool:
        gone = list(pool.map(lambda orphan: _is_gone(job, orphan[0]), orphans))
    removed = [orphan for orphan, is_gone in zip(orphans, gone, strict=True) if is_gone]
    if removed:
        remove_photos(removed, (job.space,), services)
    return len(removed)


def _is_gone(job: Job, name: str) -> bool:
    if not _witness(job).is_gone(name):
        return False
    try:
        services_of(job).photos.stat(name)
    except ObjectNotFound:
        return True
    return False


@cache
def _witness(job: Job) -> Witness:
    return Witness(services_of(job).photos)

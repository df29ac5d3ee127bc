"""Deletes tables that no search uses any more.

A search uses the newest table that was whole (mirror_reader.py), and looks for another at least
every few hours. One that finds its table deleted begins with the newest.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from clipsearch.engine.state import (
    begun,
    is_table_name,
    read_state,
    state_numbers,
    tables_prefix,
)
from clipsearch.errors import DamagedObject, ObjectNotFound
from clipsearch.storage import Bucket

UNUSED_FOR = timedelta(days=1)
REQUESTS = 16  # at once


def delete_old_tables(bucket: Bucket, space: str, now: datetime) -> list[str]:
    """Delete those that no state names, if the newest is whole for UNUSED_FOR.

    So no state has named them for as long, at least as the newest one. May be killed anywhere: the
    next run continues. Returns the tables that it deleted. Raises StorageError.
    """
    objects: dict[str, list[str]] = {}
    for stat in bucket.list(tables_prefix(space)):
        table, suffix, _ = stat.name.removeprefix(tables_prefix(space)).partition(".lance/")
        if suffix and is_table_name(table):
            objects.setdefault(table, []).append(stat.name)
    if len(objects) < 2:
        return []
    named, newest = set(), None
    for number in state_numbers(bucket, space):
        try:
            newest = read_state(bucket, space, number)
        except ObjectNotFound:  # of KEPT states before: another run has deleted it
            continue
        except DamagedObject:  # it may name any table, or a newer version wrote it
            return []
        named.add(newest.table)
    if newest is None or newest.since is None or now - newest.since < UNUSED_FOR:
        return []
    # Another run may have begun a table, and not have said so yet.
    old = [t for t in objects if t not in named and now - begun(t) >= UNUSED_FOR]
    for table in sorted(old):
        _delete(bucket, objects[table])
    return sorted(old)


def _delete(bucket: Bucket, names: list[str]) -> None:
    """Versions first: half a table cannot be opened."""
    versions = [name for name in names if "/_versions/" in name]
    with ThreadPoolExecutor(REQUESTS, "clipsearch-tables") as pool:
        for part in (versions, [name for name in names if "/_versions/" not in name]):
            list(pool.map(bucket.delete, part))

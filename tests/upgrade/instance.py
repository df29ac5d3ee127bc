"""One instance of clipsearch, of whichever version is on the path: obeys JSON lines on stdin.

Uses only what both versions have.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from clipsearch.index.compaction import compact, merge
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import open_bucket

SPACE = "0123456789ab"

bucket = open_bucket(sys.argv[1])
merge.FANOUT = 2  # merges what the steps of a test write
reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()


def write(entries: list[dict[str, Any]]) -> None:
    write_segment(bucket, SPACE, [entry_of(**entry) for entry in entries])


def entry_of(size: int | None = None, **given: Any) -> Entry:
    if given["kind"] == Kind.VECTOR:
        given["vector"] = np.array(given["vector"], np.float32)
    if size is not None:
        from clipsearch.index.format.facts import Facts

        given["facts"] = Facts(size=size)
    return Entry(**given)


def merge_all(days: float) -> list[str]:
    now = datetime.now(UTC) + timedelta(days=days)
    return list(compact(bucket, SPACE, time.monotonic() + 60, now).damaged)


def read(is_cold: bool = False) -> dict[str, Any]:
    """The state of each photo, and what a search for the first axis finds.

    `is_cold`: as a new instance, which has read nothing before.
    """
    snapshot = (SnapshotReader(bucket, SPACE) if is_cold else reader).refresh()
    searched = PhotoIndex() if is_cold else index
    searched.update(snapshot)
    entries = snapshot.entries
    facts = getattr(entries, "facts", None)
    photos = {
        entries.name(row): [
            int(entries.generations[row]),
            int(entries.kinds[row]),
            entries.reason(row),
            None if facts is None else int(facts["bytes"][row]),
        ]
        for row in range(len(entries))
    }
    found = searched.search(np.eye(4, dtype=np.float32)[0], 100) if snapshot.photos else []
    hits = [[hit.name, hit.generation, hit.score] for hit in found]
    return {"photos": photos, "hits": hits, "damaged": list(snapshot.damaged)}


COMMANDS = {"write": write, "compact": merge_all, "read": read}
for line in sys.stdin:
    name, given = json.loads(line)
    print(json.dumps(COMMANDS[name](**given)), flush=True)

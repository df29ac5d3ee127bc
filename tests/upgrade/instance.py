"""One instance of clipsearch, of whichever version is on the path: obeys JSON lines on stdin.

Uses only what both versions have.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from clipsearch.index.compaction import build_packs, compact, merge
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage import open_bucket

SPACE = "0123456789ab"

bucket = open_bucket(sys.argv[1])
merge.FANOUT = 2  # merges what the steps of a test write
reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
requests: Counter[str] = Counter()  # reads by folder


def counted(name: str, *arguments: Any, read: Any, **more: Any) -> Any:
    requests[name.split("/")[1]] += 1
    return read(name, *arguments, **more)


for method in ("read", "read_into"):
    setattr(bucket, method, partial(counted, read=getattr(bucket, method)))


def write(entries: list[dict[str, Any]]) -> None:
    write_segment(bucket, SPACE, [entry_of(**entry) for entry in entries])


def entry_of(size: int | None = None, **given: Any) -> Entry:
    if given["kind"] == Kind.VECTOR:
        given["vector"] = np.array(given["vector"], np.float32)
    if size is not None:
        from clipsearch.index.format.facts import Facts

        given["facts"] = Facts(size=size)
    return Entry(**given)


def write_many(begin: int, end: int, seed: int) -> None:
    """One segment of photos with vectors of 32 numbers in clusters."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(8, 32)) * 3
    count = end - begin
    vectors = centres[chance.integers(8, size=count)] + chance.normal(size=(count, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    now = time.time_ns() // 1000
    rows = zip(range(begin, end), vectors, strict=True)
    entries = [Entry(f"{i:05}", 1, Kind.VECTOR, 64, 48, now, vector=v) for i, v in rows]
    write_segment(bucket, SPACE, entries)


def pack(days: float, count: int) -> list[str]:
    """Compact with packs from `count` entries a segment."""
    build_packs.pack = partial(original, exact_limit=count, worth_packing=count)
    build_packs.direction_in = lambda *_: np.eye(32, dtype=np.float32)[0]
    return merge_all(days)


original = build_packs.pack


def search_many(seed: int) -> dict[str, Any]:
    """As a new instance: what it finds for some queries, and how often it read what."""
    requests.clear()
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    searched = PhotoIndex()
    searched.update(snapshot)
    queries = np.random.default_rng(seed).normal(size=(5, 32)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    hits = [[[h.name, h.generation, h.score] for h in searched.search(q, 20)] for q in queries]
    coded = sum(type(shard).__name__ == "QuantizedShard" for shard in searched.shards)
    return {
        "hits": hits,
        "photos": snapshot.photos,
        "damaged": list(snapshot.damaged),
        "requests": dict(requests),
        "coded": coded,
    }


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


COMMANDS = {
    "write": write,
    "write_many": write_many,
    "compact": merge_all,
    "pack": pack,
    "read": read,
    "search_many": search_many,
}
for line in sys.stdin:
    name, given = json.loads(line)
    print(json.dumps(COMMANDS[name](**given)), flush=True)

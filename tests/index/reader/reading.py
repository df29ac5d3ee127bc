"""The states in a snapshot, and a simple merge."""

from __future__ import annotations

from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.entries import Entry
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import Snapshot
from clipsearch.storage import Bucket
from tests.index.making import SPACE, Facts, facts


def state(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """Name to (generation, kind)."""
    return {name: (generation, kind) for name, generation, kind, *_ in facts_of(snapshot)}


def facts_of(snapshot: Snapshot) -> Facts:
    return facts(snapshot.entries, vectors=False)


def merge(bucket: Bucket, *names: str, number: int = 1, entries: list[Entry]) -> str:
    """A compaction without deletes: write the merged segment and publish it."""
    merged = write_segment(bucket, SPACE, entries)
    publish_commit(bucket, Commit(SPACE, number, (merged,), dict.fromkeys(names, merged)))
    return merged

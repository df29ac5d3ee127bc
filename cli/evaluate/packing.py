"""A copy of the index with packs, as `search` uses them for many photos."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from cli.evaluate.library import Library
from clipsearch.index.compaction.build_packs import direction_of, pack
from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import new_segment_name, segment_bytes, segment_path
from clipsearch.storage.local import FolderBucket
from search.engine.state import StateKeeper


def packed(library: Library, folder: Path) -> Library:
    """The library with packs, in `folder`. The index itself stays unchanged."""
    bucket, space = FolderBucket(folder), library.snapshot.space
    entries = library.snapshot.entries
    photos = replace(entries.take(entries.kinds == Kind.VECTOR), vectors=library.vectors)
    name = new_segment_name(time.time_ns() // 1000)
    bucket.create(segment_path(space, name), segment_bytes(space, photos))
    commit = Commit(space, 1, (name,), sizes={name: len(photos)})
    encoder = library.model.encoder
    following = pack(
        bucket,
        commit,
        float("inf"),
        partial(direction_of, encoder.bundle),
        exact_limit=0,
        worth_packing=1,
    )
    assert following is not None
    publish_commit(bucket, following)
    return replace(library, state=StateKeeper(bucket, encoder).state())

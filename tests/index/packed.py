"""Libraries with packs, and the results of an exact search in them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clipsearch.index.compaction.build_packs import pack
from clipsearch.index.format.commits import Commit, publish_commit
from clipsearch.index.format.entries import Entry
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.index.search.quantized_shard import QuantizedShard
from clipsearch.storage import Bucket
from tests.index.making import SPACE, Vector, photo, random_units

DIMENSION = 64
COUNT = 8000
DECAY = (0.93 ** np.arange(DIMENSION)).astype(np.float32)  # photos differ more in some directions


def clustered(count: int, seed: int = 0) -> Vector:
    """Unit vectors around 40 centres, like those of photos."""
    chance = np.random.default_rng(seed)
    centres = random_units(40, DIMENSION, seed=99) * 4
    mixed = centres[chance.integers(40, size=count)] + chance.normal(size=(count, DIMENSION))
    mixed = mixed * DECAY + 0.5
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def texts(count: int) -> Vector:
    """Unit vectors that share one direction, far from photos."""
    shared = random_units(1, DIMENSION, seed=8) * 2
    far = random_units(count, DIMENSION, seed=7) * DECAY + shared
    return far / np.linalg.norm(far, axis=1, keepdims=True)


COMMON: Vector = texts(50).mean(axis=0)  # the direction that texts share
VECTORS = clustered(COUNT)


def commit_of(bucket: Bucket, *segments: Sequence[Entry], number: int = 1) -> Commit:
    names = tuple(write_segment(bucket, SPACE, entries) for entries in segments)
    sizes = {name: len(part) for name, part in zip(names, segments, strict=True)}
    return Commit(SPACE, number, names, sizes=sizes)


def photos(begin: int, end: int) -> list[Entry]:
    return [photo(f"{i:05}", 1, VECTORS[i], time_us=i) for i in range(begin, end)]


def packed(
    bucket: Bucket,
    commit: Commit,
    deadline: float | None = None,
    direction: Vector | None = COMMON,
    exact_limit: int = 100,
    worth_packing: int = 50,
) -> Commit | None:
    deadline = time.monotonic() + 60 if deadline is None else deadline
    return pack(bucket, commit, deadline, lambda: direction, exact_limit, worth_packing)


def grown(commit: Commit, more: Commit) -> Commit:
    """The commit with the segments of both."""
    segments, sizes = commit.segments + more.segments, {**commit.sizes, **more.sizes}
    return replace(commit, segments=segments, sizes=sizes)


def publish_packed(bucket: Bucket, commit: Commit, **options: Any) -> Commit:
    following = packed(bucket, commit, **options)
    assert following
    publish_commit(bucket, following)
    return following


def loaded(bucket: Bucket, threads: int = 1) -> tuple[PhotoIndex, Snapshot]:
    index = PhotoIndex(threads)
    snapshot = SnapshotReader(bucket, SPACE).refresh()
    index.update(snapshot)
    return index, snapshot


def coded(index: PhotoIndex) -> list[QuantizedShard]:
    """The shards that are searched by codes."""
    return [shard for shard in index.shards if isinstance(shard, QuantizedShard)]


def exactly(query: Vector, names: Sequence[int], limit: int) -> list[str]:
    halves = VECTORS[names].astype(np.float16).astype(np.float64)
    scores = (halves @ query.astype(np.float64)).round(6)
    order = sorted(zip(-scores, names, strict=True))
    return [f"{name:05}" for _, name in order[:limit]]

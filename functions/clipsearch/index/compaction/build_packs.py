"""Writes packs, compressed copies of large segments, and publishes a commit that names them.

Small spaces get no packs: exact search is fast enough there. A run reads and writes once per
segment without a pack. Memory: three times one segment.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from clipsearch.errors import (
    DamagedObject,
    NoModel,
    ObjectExists,
    ObjectNotFound,
    UnknownFormat,
)
from clipsearch.index.compaction.run import WORTH_BEGINNING_S, Run, in_parallel
from clipsearch.index.compaction.transaction import advance, newest_or_blank
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.packs import pack_path, parse_pack_path, quantizer_id, write_pack
from clipsearch.index.format.quantizer import (
    Quantizer,
    Vectors,
    new_quantizer_path,
    read_quantizer,
    train,
    trained_for,
    write_quantizer,
)
from clipsearch.index.format.segments import read_segment
from clipsearch.model.bundle import MODEL_JSON, Bundle, load_bundle
from clipsearch.storage import Bucket

# Entries. Exact search takes about 80 ns each: under 6 ms up to this limit.
EXACT_LIMIT = 65_536
# Entries. Smaller segments get no pack, because they are merged soon.
WORTH_PACKING = 4_096
# The quantizer is trained again when the number of entries has grown by this factor.
GROWTH = 8
SAMPLE = 49_152  # vectors to train a quantizer on; more do not improve it
SAMPLED_SEGMENTS = 8  # limits the sample's reads to 1 GB

_log = logging.getLogger("clipsearch")


def pack_all(run: Run) -> bool:
    """Pack segments without a pack or with a damaged one. True if all were done in time.

    A short run does nothing. Packs that no commit names yet are written again, identically.
    """
    if not run.has(WORTH_BEGINNING_S):
        return False
    newest = newest_or_blank(run.bucket, run.space)
    # The new pack needs the same name. Until it is written, readers use the segment.
    in_parallel(run.bucket.delete, run.damaged_packs)
    usable = replace(newest, packs=_usable(run, newest))
    common = partial(direction_in, run.bucket, run.space)
    try:
        made = pack(run.bucket, usable, run.deadline, common) or usable
    except (NoModel, DamagedObject) as problem:
        _log.error("no packs were written for space %r: %s", run.space, problem)
        return False
    if made == newest:
        return True

    def change(newest: Commit) -> Commit | None:
        kept = {name: path for name, path in made.packs.items() if name in newest.segments}
        packs = {**_usable(run, newest), **kept}
        following = replace(newest, packs=packs, quantizer=made.quantizer)
        return following if following != newest else None

    advance(run.bucket, run.space, change, run.deadline)
    return run.has(0)


def direction_in(bucket: Bucket, space: str) -> Vectors:
    """direction_of() the bundle of `space` in the bucket. Raises NoModel, DamagedObject."""
    return direction_of(load_bundle(bucket, space).bundle)


def direction_of(bundle: Bundle) -> Vectors:
    """(d,) the direction that all text vectors share. DamagedObject if the bundle lacks it."""
    if bundle.text_direction is None:
        reason = "it lacks text_direction: delete it and export the model again"
        raise DamagedObject(f"models/{bundle.space}/{MODEL_JSON}", reason)
    return np.array(bundle.text_direction, np.float32)


def pack(
    bucket: Bucket,
    commit: Commit,
    deadline: float,
    common: Callable[[], Vectors | None],
    exact_limit: int = EXACT_LIMIT,
    worth_packing: int = WORTH_PACKING,
) -> Commit | None:
    """Write the packs that `commit` lacks, until `deadline`.

    Returns the commit with them (same number), or None if nothing changed.
    `deadline` (time.monotonic()): the segment in progress is still finished.
    `common`: called to train a quantizer. Returns the direction (d,) that texts share, or None if
    unknown. Raises StorageError and the errors of `common`. The leftovers of a killed run are
    reused or swept.
    """
    if time.monotonic() >= deadline:
        return None
    found = to_pack(bucket, commit, common, exact_limit, worth_packing)
    if found is None:
        return None
    packs = dict(commit.packs)
    for name in found.segments:
        if time.monotonic() >= deadline:
            break
        made = pack_segment(bucket, commit.space, name, found.path, found.quantizer)
        if made:
            packs[name] = made
    following = replace(commit, packs=packs, quantizer=found.path)
    return following if following != commit else None


@dataclass(frozen=True, slots=True, eq=False)
class ToPack:
    """`segments` need a pack made with `quantizer`, the object at `path`."""

    path: str
    quantizer: Quantizer
    segments: list[str]


def to_pack(
    bucket: Bucket,
    commit: Commit,
    common: Callable[[], Vectors | None],
    exact_limit: int = EXACT_LIMIT,
    worth_packing: int = WORTH_PACKING,
) -> ToPack | None:
    """The packs that `commit` lacks; may train a quantizer. None if it needs no packs at all.

    Arguments and errors as of pack().
    """
    if _size(commit) <= exact_limit:
        return None
    large = [name for name in commit.segments if commit.sizes.get(name, 0) >= worth_packing]
    found = _quantizer_for(bucket, commit, large, common) if large else None
    if found is None:
        return None
    path, quantizer = found
    lacking = [
        name
        for name in large
        if name not in commit.packs or not _is_made_of(name, path, commit.packs[name])
    ]
    return ToPack(path, quantizer, lacking)


def _quantizer_for(
    bucket: Bucket, commit: Commit, large: list[str], common: Callable[[], Vectors | None]
) -> tuple[str, Quantizer] | None:
    """The quantizer in use, or a new one if it is missing, outgrown or damaged. None without
    vectors to train it on. Raises UnknownFormat."""
    present = commit.quantizer
    if present and _size(commit) < GROWTH * max(1, trained_for(present)):
        try:
            return present, read_quantizer(bucket, commit.space, present)
        except UnknownFormat:
            raise  # a new one would replace that of the newer version
        except (DamagedObject, ObjectNotFound):
            pass  # readers report it
    sample = _sample(bucket, commit.space, large)
    if sample is None:
        return None
    path = new_quantizer_path(commit.space, _size(commit))
    quantizer = train(sample, common())
    write_quantizer(bucket, commit.space, path, quantizer)
    return path, quantizer


def _size(commit: Commit) -> int:
    return sum(commit.sizes.get(name, 0) for name in commit.segments)


def _sample(bucket: Bucket, space: str, names: list[str]) -> Vectors | None:
    """Vectors of evenly spread segments, or else of the first segment with any. None if none."""
    chosen = names[:: -(-len(names) // SAMPLED_SEGMENTS)]
    parts: list[Vectors] = []
    for name in [*chosen, *sorted(set(names) - set(chosen))]:
        if parts and name not in chosen:
            break
        with suppress(DamagedObject, ObjectNotFound):  # reported by readers, or merged meanwhile
            vectors = read_segment(bucket, space, name).vectors
            step = max(1, len(vectors) * len(chosen) // SAMPLE)
            if len(vectors):
                parts.append(vectors[::step].copy())  # a view would keep the segment in memory
    return np.concatenate(parts) if parts else None


def _is_made_of(segment: str, quantizer: str, pack: str) -> bool:
    said = parse_pack_path(pack)
    return said is not None and said[:2] == (segment, quantizer_id(quantizer))


def pack_segment(
    bucket: Bucket, space: str, name: str, path: str, quantizer: Quantizer
) -> str | None:
    """Write the pack of the segment `name` with the quantizer at `path`; returns the pack's name.
    None if the segment has no vectors, is damaged or was deleted."""
    try:
        entries = read_segment(bucket, space, name)
    except (DamagedObject, ObjectNotFound):
        return None
    if not len(entries.vectors) or entries.vectors.shape[1] != quantizer.basis.shape[1]:
        return None
    try:
        return write_pack(bucket, space, name, entries, path, quantizer)
    except ObjectExists:  # another library release rounds differently: equally good
        return pack_path(space, name, path, 2 * entries.vectors.size)


def _usable(run: Run, commit: Commit) -> dict[str, str]:
    return {name: path for name, path in commit.packs.items() if path not in run.damaged_packs}

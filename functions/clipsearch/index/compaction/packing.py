"""Packing: large segments of a large space get their packs, and a commit that names them."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import numpy as np

from clipsearch.errors import DamagedObject, NoModel
from clipsearch.index.compaction.build_packs import pack
from clipsearch.index.compaction.run import WORTH_BEGINNING_S, Run, in_parallel
from clipsearch.index.compaction.transaction import advance, newest_or_blank
from clipsearch.index.format.commits import Commit
from clipsearch.index.format.quantizer import Vectors
from clipsearch.model.bundle import MODEL_JSON, Bundle, load_bundle
from clipsearch.storage import Bucket

_log = logging.getLogger("clipsearch")


def pack_all(run: Run) -> bool:
    """Pack what lacks its pack, or has a spoilt one; whether there was time for all. A short run
    has none.

    A pack that no commit names yet is made again, the same.
    """
    if not run.has(WORTH_BEGINNING_S):
        return False
    newest = newest_or_blank(run.bucket, run.space)
    # Each has one name only, under which it is made again; meanwhile readers do without.
    in_parallel(run.bucket.delete, run.spoilt)
    usable = replace(newest, packs=_usable(run, newest))
    common = partial(direction_in, run.bucket, run.space)
    try:
        made = pack(run.bucket, usable, run.deadline, common) or usable
    except (NoModel, DamagedObject) as problem:
        _log.error("no packs of %r are made: %s", run.space, problem)
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
    """What texts share in a space whose model lies in the bucket; NoModel, DamagedObject."""
    return direction_of(load_bundle(bucket, space).bundle)


def direction_of(bundle: Bundle) -> Vectors:
    """(dim,); DamagedObject if the bundle does not tell it."""
    if bundle.text_direction is None:
        reason = "it lacks text_direction: delete it and export the model again"
        raise DamagedObject(f"models/{bundle.space}/{MODEL_JSON}", reason)
    return np.array(bundle.text_direction, np.float32)


def _usable(run: Run, commit: Commit) -> dict[str, str]:
    return {name: path for name, path in commit.packs.items() if path not in run.spoilt}

"""The index as `search` uses it, and the original float32 vectors.

`search` may use packs (codes and float16). Exact search uses the float32 vectors of the segments.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cli.common.errors import RunError
from cli.common.progress import bar
from clipsearch.errors import DamagedObject, NotReady, ObjectNotFound
from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.format.segments import is_segment_name, read_segment, segments_prefix
from clipsearch.index.reader.snapshot_reader import Snapshot
from clipsearch.model.bundle import load_bundle
from clipsearch.storage import Bucket
from search.engine.model import Model
from search.engine.state import State

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Library:
    """The index at one moment: `state` is not refreshed.

    `names` of the g indexed photos, and their `vectors` (g, d) float32.
    """

    model: Model
    state: State
    names: list[str]
    vectors: Vectors

    @property
    def snapshot(self) -> Snapshot:
        return self.state.snapshot


def open_library(bucket: Bucket, space: str, is_exact: bool = True) -> Library:
    """`is_exact`: with the float32 vectors for exact search; otherwise there are none.

    Raises NotReady (no model, or nothing indexed), DamagedObject, StorageError, RunError.
    """
    model = Model(bucket, load_bundle(bucket, space))
    state = model.keeper.state()
    state.check()
    if not state.snapshot.photos:
        raise NotReady(f"an index of photos for the model {model.encoder.name} in {bucket.url}")
    entries = state.snapshot.entries
    rows = np.flatnonzero(entries.kinds == Kind.VECTOR).tolist()
    names = [entries.name(row) for row in rows]
    if not is_exact:
        return Library(model, state, names, np.zeros((0, model.encoder.dim), np.float32))
    return Library(model, state, names, _vectors(bucket, state.snapshot, model.encoder.dim))


def _vectors(bucket: Bucket, snapshot: Snapshot, dimension: int) -> Vectors:
    """Vectors (g, d) of the indexed photos, in the order of snapshot.entries."""
    catalogue = snapshot.catalogue
    photos = np.flatnonzero(catalogue.live & (catalogue.rows.kinds == Kind.VECTOR))
    place = np.full(len(catalogue.live), -1)
    place[photos] = np.arange(len(photos))
    vectors = np.zeros((len(photos), dimension), np.float32)
    there = np.zeros(len(photos), bool)
    for entries in _segments(bucket, snapshot.space):
        mine = np.flatnonzero(entries.kinds == Kind.VECTOR)
        rows = catalogue.rows_of(entries.keys[mine])
        # The current entry of a photo, not a replaced one.
        counts = (rows >= 0) & (place[rows] >= 0)
        counts &= entries.generations[mine] == catalogue.rows.generations[rows]
        counts &= entries.times[mine] == catalogue.rows.times[rows]
        if entries.vectors.shape[1:] == (dimension,):
            vectors[place[rows[counts]]] = entries.vectors[counts]
            there[place[rows[counts]]] = True
        if there.all():
            return vectors
    raise RunError(
        f"the vectors of {np.count_nonzero(~there):,} of {len(there):,} photos in {bucket.url} "
        "cannot be read, and exact search needs them; run clipsearch reconcile to repair the index"
    )


def _segments(bucket: Bucket, space: str) -> Iterator[Entries]:
    """The largest first: they contain smaller ones, which need not be read then."""
    prefix = segments_prefix(space)
    found = [(s.size, s.name.removeprefix(prefix)) for s in bucket.list(prefix)]
    names = [name for _, name in sorted(found, reverse=True) if is_segment_name(name)]
    for name in bar("reading vectors", names, unit="segments"):
        with suppress(DamagedObject, ObjectNotFound):  # _vectors reports what is missing
            yield read_segment(bucket, space, name)

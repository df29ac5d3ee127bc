"""The end of a switch to another model: from here on nobody needs the model before."""

from __future__ import annotations

import logging

from clipsearch.errors import DamagedObject, NoModel
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reconcile_log import CoverageReader
from clipsearch.model.pointer import current_pointer, forget_previous
from clipsearch.storage import Bucket

_log = logging.getLogger("clipsearch")


def settle(index: Bucket, space: str) -> bool:
    """End the switch to `space` if its reconcile has ended; returns whether this call did.

    The reconcile must have begun after every instance had seen the switch, and no photo of it may
    be pending. Raises StorageError.
    """
    try:
        pointer = current_pointer(index)
        if pointer.space != space or pointer.previous is None:
            return False
        coverage = CoverageReader(index, space).newest()
    except (NoModel, DamagedObject):  # a fixed model, or a record that the next run replaces
        return False
    if coverage is None or not pointer.is_seen(coverage.started):
        return False
    catalogue = SnapshotReader(index, space, keep_vectors=False).refresh().catalogue
    if len(coverage.pending.still(catalogue).keys) or not forget_previous(index, pointer):
        return False
    _log.info("the switch to model %s is complete; model %s may go", space, pointer.previous)
    return True

"""Sees that another model has become current while the stack runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from clipsearch.errors import ClipsearchError
from clipsearch.model.pointer import current_pointer
from clipsearch.storage import Bucket

LOOK_EVERY = 5.0  # seconds


class Switches:
    """Without a topic `ingest` asks nobody for a reconcile after a switch: the stack asks it."""

    def __init__(self, index: Bucket) -> None:
        self._index = index
        self._looked = float("-inf")
        self._settled = 0  # the number of the pointer that was answered

    def needs_reconcile(self) -> bool:
        """True once for each switch, after `ingest` has seen it."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return False
        self._looked = time.monotonic()
        try:
            pointer = current_pointer(self._index)
        except ClipsearchError:  # the functions say what is wrong
            return False
        if pointer.previous is None or pointer.number == self._settled:
            return False
        if not pointer.is_seen(datetime.now(UTC)):
            return False
        self._settled = pointer.number
        return True

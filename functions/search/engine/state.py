"""The index of one space, refreshed while it is used.

Imported on the first search, not with main.py. Imports no numpy (see clipsearch.imports).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clipsearch.allocator import large_blocks_returned
from clipsearch.errors import DamagedObject
from clipsearch.images.memory import memory_limit
from clipsearch.imports import import_in_turn
from clipsearch.model.encoder import Encoder
from clipsearch.storage import Bucket
from search.engine.cache import Fresh

if TYPE_CHECKING:
    from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader
    from clipsearch.index.search.photo_index import PhotoIndex

# Seconds. A photo must be searchable two seconds after its event was processed. Each refresh costs
# a listing, which is most of what a busy minute costs.
REFRESH_EVERY = 1.5
# Seconds. While one thread refreshes, others wait this long, then use the present state.
WAIT_FOR_REFRESH = 0.5
# Of the memory, with CLIPSEARCH_ROWS=auto. Model, codes, names and decoders need the rest.
ROWS_SHARE = 0.4


@dataclass(frozen=True)
class State:
    """Encoder and index of one space, in one object so that a request cannot mix two models."""

    encoder: Encoder
    reader: "SnapshotReader"
    index: "PhotoIndex"
    snapshot: "Snapshot"

    @property
    def has_index(self) -> bool:
        """False until a photo was processed in this space."""
        return self.snapshot.commit > 0 or self.snapshot.updated is not None

    def check(self) -> None:
        """Raise DamagedObject if nothing but damaged objects was found.

        No answer is better than a wrong one.
        """
        if self.snapshot.damaged and self.snapshot.updated is None:
            name, _, reason = self.snapshot.damaged[0].partition(": ")
            raise DamagedObject(name, reason)


class StateKeeper:
    """Loads the index of the encoder's space on first use, then reads changes."""

    def __init__(self, bucket: Bucket, encoder: Encoder, rows: str = "memory") -> None:
        """`rows`: of clipsearch.settings.ROWS."""
        self._bucket, self._encoder, self._rows = bucket, encoder, rows
        self._state = Fresh("the index", self._refreshed, REFRESH_EVERY, WAIT_FOR_REFRESH)

    @property
    def is_loaded(self) -> bool:
        return self._state.value is not None

    def state(self) -> State:
        """Return the state: at most REFRESH_EVERY seconds old, or older while storage fails.

        Raises StorageError while no state was ever loaded.
        """
        return self._state.get()

    def renew(self) -> None:
        """Read changes now, if storage works. Waits for it."""
        self._state.renew()

    def _refreshed(self, state: State | None) -> State:
        if state is None:
            return self._first()
        snapshot = state.reader.refresh()
        state.index.update(snapshot)
        return replace(state, snapshot=snapshot)

    def _first(self) -> State:
        import_in_turn("clipsearch.index.reader.snapshot_reader")
        from clipsearch.index.reader.snapshot_reader import SnapshotReader

        reader = SnapshotReader(
            self._bucket, self._encoder.space, is_sparing=True, most_rows=most_rows(self._rows)
        )
        with large_blocks_returned():
            with ThreadPoolExecutor(1, "search-imports") as beside:
                beside.submit(import_in_turn, "clipsearch.index.search.photo_index")  # FAISS
                snapshot = reader.refresh()
            from clipsearch.index.search.photo_index import PhotoIndex

            index = PhotoIndex()
            index.update(snapshot)
        return State(self._encoder, reader, index, snapshot)


def most_rows(rows: str) -> int | None:
    """The bytes of packs' rows that may be in memory, for a value of CLIPSEARCH_ROWS; None: all."""
    if rows == "auto":
        return int(memory_limit() * ROWS_SHARE)
    return 0 if rows == "bucket" else None

"""The index of one space, kept fresh.

Imported on the first search, not with main.py; brings no numpy (see clipsearch.imports).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clipsearch.errors import DamagedObject
from clipsearch.imports import import_in_turn
from clipsearch.model.encoder import Encoder
from clipsearch.storage import Bucket
from search.engine.cache import Fresh

if TYPE_CHECKING:
    from clipsearch.index.reader.snapshot_reader import Snapshot, SnapshotReader
    from clipsearch.index.search.photo_index import PhotoIndex

# Seconds. An upload must be found two seconds after its event was answered.
REFRESH_EVERY = 1.0
# Who finds another thread refreshing waits this long before taking the present state.
WAIT_FOR_REFRESH = 0.5


@dataclass(frozen=True)
class State:
    """All of one space: whoever holds a State cannot mix two models."""

    encoder: Encoder
    reader: "SnapshotReader"
    index: "PhotoIndex"
    snapshot: "Snapshot"

    @property
    def has_index(self) -> bool:
        """False until the first photo was looked at in this space."""
        return self.snapshot.commit > 0 or self.snapshot.updated is not None

    def check(self) -> None:
        """DamagedObject if damage is all there is: no answer is better than a wrong one."""
        if self.snapshot.damaged and self.snapshot.updated is None:
            name, _, reason = self.snapshot.damaged[0].partition(": ")
            raise DamagedObject(name, reason)


class StateKeeper:
    """Makes the state of the encoder's space on first use, and reads what is new."""

    def __init__(self, bucket: Bucket, encoder: Encoder) -> None:
        self._bucket, self._encoder = bucket, encoder
        self._state = Fresh("the index", self._refreshed, REFRESH_EVERY, WAIT_FOR_REFRESH)

    @property
    def is_loaded(self) -> bool:
        return self._state.value is not None

    def state(self) -> State:
        """At most REFRESH_EVERY seconds old, or older while the storage is in trouble.

        Raises StorageError as long as there is no state at all.
        """
        return self._state.get()

    def _refreshed(self, state: State | None) -> State:
        if state is None:
            return self._first()
        snapshot = state.reader.refresh()
        state.index.update(snapshot)
        return replace(state, snapshot=snapshot)

    def _first(self) -> State:
        import_in_turn("clipsearch.index.reader.snapshot_reader")
        from clipsearch.index.reader.snapshot_reader import SnapshotReader

        reader = SnapshotReader(self._bucket, self._encoder.space)
        with ThreadPoolExecutor(1, "search-imports") as beside:
            beside.submit(import_in_turn, "clipsearch.index.search.photo_index")  # brings FAISS
            snapshot = reader.refresh()
        from clipsearch.index.search.photo_index import PhotoIndex

        index = PhotoIndex()
        index.update(snapshot)
        return State(self._encoder, reader, index, snapshot)

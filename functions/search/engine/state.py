"""The index of one space, refreshed while it is used.

Imported on the first search, not with main.py. Imports no numpy (see clipsearch.imports).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clipsearch.allocator import large_blocks_returned
from clipsearch.errors import DamagedObject
from clipsearch.images.memory import memory_limit
from clipsearch.imports import import_in_turn
from clipsearch.model.encoder import Encoder
from clipsearch.storage import Bucket
from search.engine.cache import Fresh

if TYPE_CHECKING:
    from clipsearch.engine.union import Union
    from clipsearch.index.reader.snapshot_reader import Snapshot
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
    index: "PhotoIndex | Union"
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


class Source(Protocol):
    """Reads the index of one space, in memory (InMemory) or from a mirror (InMirror)."""

    def refresh(self) -> "tuple[Snapshot, PhotoIndex | Union]": ...


class StateKeeper:
    """Loads the index of the encoder's space on first use, then reads changes."""

    def __init__(
        self, bucket: Bucket, encoder: Encoder, rows: str = "memory", engine: str = ""
    ) -> None:
        """`rows`, `engine`: of clipsearch.settings.ROWS and ENGINES."""
        self._bucket, self._encoder, self._rows, self._engine = bucket, encoder, rows, engine
        self._source: Source | None = None
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
        if self._source is None:
            if self._engine:
                from search.engine.mirrored import InMirror

                self._source = InMirror(self._bucket, self._encoder)
            else:
                self._source = InMemory(self._bucket, self._encoder.space, self._rows)
        snapshot, index = self._source.refresh()
        return State(self._encoder, index, snapshot)


class InMemory:
    """Holds all photos of a space in memory."""

    def __init__(self, bucket: Bucket, space: str, rows: str) -> None:
        import_in_turn("clipsearch.index.reader.snapshot_reader")
        from clipsearch.index.reader.snapshot_reader import SnapshotReader

        self._reader = SnapshotReader(bucket, space, is_sparing=True, most_rows=most_rows(rows))
        self._index: PhotoIndex | None = None

    def refresh(self) -> "tuple[Snapshot, PhotoIndex]":
        if self._index is None:
            return self._first()
        snapshot = self._reader.refresh()
        self._index.update(snapshot)
        return snapshot, self._index

    def _first(self) -> "tuple[Snapshot, PhotoIndex]":
        with large_blocks_returned():
            with ThreadPoolExecutor(1, "search-imports") as beside:
                beside.submit(import_in_turn, "clipsearch.index.search.photo_index")  # FAISS
                snapshot = self._reader.refresh()
            from clipsearch.index.search.photo_index import PhotoIndex

            index = PhotoIndex()
            index.update(snapshot)
        self._index = index
        return snapshot, index


def most_rows(rows: str) -> int | None:
    """The bytes of packs' rows that may be in memory, for a value of CLIPSEARCH_ROWS; None: all."""
    if rows == "auto":
        return int(memory_limit() * ROWS_SHARE)
    return 0 if rows == "bucket" else None

"""What answers come from, kept fresh: the encoder, the index and the snapshot of one space.

Imported on the first search, not with main.py: it brings numpy, faiss and the storage client.
"""

import logging
import threading
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from clipsearch.bundle import current_space
from clipsearch.encoder import Encoder
from clipsearch.errors import ClipsearchError, DamagedObject, StorageError
from clipsearch.index import PhotoIndex
from clipsearch.settings import Settings
from clipsearch.snapshot import Snapshot, SnapshotReader
from clipsearch.storage import open_bucket

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("clipsearch")

# Seconds. An upload must be found two seconds after its event was answered.
REFRESH_EVERY = 1.0
# Who finds another thread refreshing waits this long before taking the present state.
WAIT_FOR_REFRESH = 0.5
# A switch to another model is rare and may take a little longer to be seen.
LOOK_FOR_MODEL_EVERY = 5.0

# Paging and "back" ask for the same words again. A vector has 2 KB, so this is a few MB;
# texts longer than people type are not remembered.
WORDS_KEPT = 1024
LONGEST_KEPT = 256


@dataclass(frozen=True)
class Words:
    vector: "NDArray[np.float32]"  # (D,), unit length
    truncated: bool


class WordEncoder:
    """Text to vectors, the last ones remembered. Belongs to one encoder, so to one space."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._remembering = lru_cache(WORDS_KEPT)(self._encode)

    def encode(self, text: str) -> Words:
        return self._remembering(text) if len(text) <= LONGEST_KEPT else self._encode(text)

    def _encode(self, text: str) -> Words:
        encoded = self._encoder.encode_text([text])
        return Words(encoded.vectors[0], bool(encoded.truncated[0]))


@dataclass(frozen=True)
class State:
    """All of one space: whoever holds a State cannot mix two models."""

    encoder: Encoder
    words: WordEncoder
    reader: SnapshotReader
    index: PhotoIndex
    snapshot: Snapshot

    @property
    def has_index(self) -> bool:
        """False until the first photo was looked at in this space."""
        return self.snapshot.commit > 0 or self.snapshot.updated is not None


class StateKeeper:
    """Makes the state on first use and refreshes it; one thread works, the others share it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = open_bucket(settings.index)
        self._lock = threading.Lock()
        self._state: State | None = None
        self._failure: ClipsearchError | None = None
        self._tried = self._looked_for_model = float("-inf")

    def state(self) -> State:
        """At most REFRESH_EVERY seconds old, or older while the storage is in trouble.

        Raises NotReady, and as long as there is no state at all StorageError, DamagedObject.
        Whoever waited for a refresh gets what came of it, a failure too: storage may take
        half a minute to give up, and that must not add up.
        """
        present = self._state
        if not self._lock.acquire(timeout=-1 if present is None else WAIT_FOR_REFRESH):
            assert present is not None
            return present
        try:
            if time.monotonic() - self._tried >= REFRESH_EVERY:
                self._try_to_refresh()
            if self._failure is not None:
                raise self._failure
            assert self._state is not None
            return self._state
        finally:
            self._lock.release()

    def _try_to_refresh(self) -> None:
        # the time before reading: what is written meanwhile may not be seen
        now = time.monotonic()
        try:
            self._state = self._refresh(now)
            self._failure, self._tried = None, now
        except ClipsearchError as error:
            self._failure, self._tried = error, time.monotonic()
            if self._state is not None and isinstance(error, StorageError | DamagedObject):
                # What is known stays true of some moments ago, which is better than no answer.
                log.warning("the index stays as it was, it cannot be refreshed: %s", error)
                self._failure = None

    def _refresh(self, now: float) -> State:
        state = self._state
        if state is None or now - self._looked_for_model >= LOOK_FOR_MODEL_EVERY:
            space = self._space()
            if state is None or state.encoder.space != space:
                state = self._load(space)
            self._looked_for_model = now
        snapshot = state.reader.refresh()
        state.index.update(snapshot)
        return replace(state, snapshot=snapshot)

    def _space(self) -> str:
        model = self._settings.model
        return current_space(self._bucket) if model == "current" else model

    def _load(self, space: str) -> State:
        encoder = Encoder.from_bucket(self._bucket, space)
        reader = SnapshotReader(self._bucket, space)
        return State(encoder, WordEncoder(encoder), reader, PhotoIndex(), reader.refresh())

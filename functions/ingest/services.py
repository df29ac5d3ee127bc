"""What a worker keeps between events: the buckets, and the encoder of the current model.

Imported on the first event, not with main.py: nothing here may exist before the fork.
"""

import threading
import time

from clipsearch.model.bundle import current_space
from clipsearch.model.encoder import Encoder
from clipsearch.settings import Settings
from clipsearch.storage import Bucket, open_bucket
from ingest.pubsub import Topic

# Seconds. A switch to another model is rare; asking costs one listing.
LOOK_FOR_MODEL_EVERY = 5.0


class Services:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.photos = open_bucket(settings.photos)
        self.index = open_bucket(settings.index)
        self.thumbnails = open_bucket(settings.thumbnails)
        self.model = CurrentModel(self.index, settings.model)
        self.topic = Topic(settings.topic) if settings.topic else None
        self.dead_letters = Topic(settings.dead_letters) if settings.dead_letters else None


class CurrentModel:
    """The model that new entries are made with: a fixed space, or the one that is current."""

    def __init__(self, index: Bucket, model: str) -> None:
        self._index = index
        self._is_fixed = model != "current"
        self._space = model if self._is_fixed else ""
        self._looked = float("-inf")
        self._encoder: Encoder | None = None
        self._lock = threading.Lock()

    def space(self) -> str:
        """The space that entries go to now. NoModel, DamagedObject, StorageError."""
        with self._lock:
            return self._current_space()

    def encoder(self) -> Encoder:
        """The encoder of that space. NoModel, DamagedObject, StorageError."""
        with self._lock:
            space = self._current_space()
            if self._encoder is None or self._encoder.space != space:
                self._encoder = Encoder.from_bucket(self._index, space, side_by_side=True)
            return self._encoder

    def _current_space(self) -> str:
        now = time.monotonic()
        if not self._is_fixed and now - self._looked >= LOOK_FOR_MODEL_EVERY:
            self._space = current_space(self._index)
            self._looked = now
        return self._space

"""What a worker keeps between events: the buckets, and the encoder of the current model.

Import this on the first event, not with main.py: nothing here may exist before the fork.
"""

import threading
import time
from collections.abc import Collection

from clipsearch.index.format.fill import Want
from clipsearch.model.encoder import Encoder
from clipsearch.model.pointer import Pointer, pointer_after
from clipsearch.settings import Settings
from clipsearch.storage import Bucket, open_bucket
from ingest.pubsub import Topic

# Seconds. A switch to another model is rare; a look costs one request.
LOOK_FOR_MODEL_EVERY = 5.0


class Services:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.want = Want(settings.keep_places, settings.previews)
        self.photos = open_bucket(settings.photos)
        self.index = open_bucket(settings.index)
        self.thumbnails = open_bucket(settings.thumbnails)
        self.model = CurrentModel(self.index, settings.model, settings.model_sha256)
        self.topic = Topic(settings.topic) if settings.topic else None
        self.dead_letters = Topic(settings.dead_letters) if settings.dead_letters else None
        self.pictures_fail = False  # the last ones of an event could not be written
        self.settling = 0  # the number of the newest pointer after which a reconcile was asked for


class CurrentModel:
    """The model that new entries are made with: a fixed space, or the current one."""

    def __init__(self, index: Bucket, model: str, allowed: Collection[str] = ()) -> None:
        self._index = index
        self._allowed = allowed  # digests, see bundle.check_allowed()
        self._is_fixed = model != "current"
        self._pointer = Pointer(model) if self._is_fixed else None
        self._looked = float("-inf")
        self._encoder: Encoder | None = None
        self._lock = threading.Lock()

    def pointer(self, at_once: bool = False) -> Pointer:
        """Where entries go now. `at_once`: look, however recent the last look is.

        Raises NoModel, DamagedObject, StorageError.
        """
        with self._lock:
            return self._current(0 if at_once else LOOK_FOR_MODEL_EVERY)

    def is_look_due(self) -> bool:
        """Whether pointer() would send a request."""
        return self._pointer is None or self._age() >= LOOK_FOR_MODEL_EVERY

    def space(self) -> str:
        """The space of new vectors. Raises as pointer()."""
        return self.pointer().space

    def encoder(self) -> Encoder:
        """The encoder of that space. Raises as pointer()."""
        with self._lock:
            space = self._current(LOOK_FOR_MODEL_EVERY).space
            if self._encoder is None or self._encoder.space != space:
                self._encoder = Encoder.from_bucket(
                    self._index, space, side_by_side=True, allowed=self._allowed
                )
            return self._encoder

    def _current(self, oldest: float) -> Pointer:
        """The pointer, at most `oldest` seconds old."""
        if self._pointer is None or self._age() >= oldest:
            began = time.monotonic()
            self._pointer = pointer_after(self._index, self._pointer)
            self._looked = began
        return self._pointer

    def _age(self) -> float:
        """Seconds since the last look. A fixed model never ages."""
        return -1.0 if self._is_fixed else time.monotonic() - self._looked

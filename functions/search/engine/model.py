"""The model that answers: the current one, or the one before while that one cannot.

Imported on the first search, not with main.py.
"""

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from clipsearch.errors import ClipsearchError, DamagedObject, NotReady, StorageError
from clipsearch.model.bundle import RemoteBundle, load_bundle
from clipsearch.model.encoder import Encoder
from clipsearch.model.pointer import Pointer, pointer_after
from clipsearch.settings import Settings
from clipsearch.storage import Bucket, open_bucket
from search.engine.cache import Fresh
from search.engine.state import StateKeeper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("clipsearch")

# Seconds. Models are switched rarely, so noticing it may take a little longer.
LOOK_FOR_MODEL_EVERY = 20.0
# Seconds until a refused model is tried again. The retry downloads it, and one request waits.
TRY_REFUSED_EVERY = 60.0

# Pagination and "back" repeat the same words; classification repeats the same labels. A vector
# has 2 KB, so the cache has a few MB. Texts longer than people type are not cached.
WORDS_KEPT = 1024
LONGEST_KEPT = 256


@dataclass(frozen=True)
class Embedding:
    """`vector`: (D,), length 1. `truncated`: whether the text was cut."""

    vector: "NDArray[np.float32]"
    truncated: bool


class Model:
    """An encoder, its cache of encoded words, and the index of its space. Thread-safe."""

    def __init__(
        self, bucket: Bucket, bundle: RemoteBundle, rows: str = "memory", engine: str = ""
    ) -> None:
        self.encoder = Encoder(bundle)
        self.keeper = StateKeeper(bucket, self.encoder, rows, engine)
        self._remembering = lru_cache(WORDS_KEPT)(self._words)

    @property
    def space(self) -> str:
        return self.encoder.space

    def words(self, text: str) -> Embedding:
        """Encode a text. The most recent texts are cached."""
        return self._remembering(text) if len(text) <= LONGEST_KEPT else self._words(text)

    def _words(self, text: str) -> Embedding:
        encoded = self.encoder.encode_text([text])
        return Embedding(encoded.vectors[0], bool(encoded.truncated[0]))

    def load_like(self, other: "Model") -> None:
        """Load the same parts as `other`, and no more. Raises what loading raises."""
        if "text" in other.encoder.loaded:
            self.encoder.encode_text(["a"])
        if "image" in other.encoder.loaded:
            from PIL import Image

            size = self.encoder.image_size
            self.encoder.encode_image([Image.new("RGB", (size, size))])
        if other.keeper.is_loaded:
            self.keeper.state().check()


@dataclass(frozen=True)
class Refused:
    """The current model if it is unusable, and why."""

    space: str
    error: ClipsearchError
    at: float  # time.monotonic()


class ModelKeeper:
    """Loads the model on first use and switches when another becomes current."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = open_bucket(settings.index)
        self._allowed, self._places = settings.model_sha256, (settings.rows, settings.engine)
        # requests never wait for a switch: it takes seconds, and the present model can answer
        self._model = Fresh("the model", self._refreshed, LOOK_FOR_MODEL_EVERY, patience=0)
        self._pointer: Pointer | None = (
            None if settings.model == "current" else Pointer(settings.model)
        )
        self.refused: Refused | None = None

    def model(self) -> Model:
        """Raises NoModel, DamagedObject, StorageError while no model was ever loaded."""
        return self._model.get()

    def _refreshed(self, present: Model | None) -> Model:
        pointer = self._newest_pointer()
        space = pointer.space
        if present is None:
            return self._first(pointer)
        if present.space == space:
            self.refused = None
            return present
        refused = self.refused if self.refused and self.refused.space == space else None
        if refused is not None and time.monotonic() - refused.at < TRY_REFUSED_EVERY:
            raise refused.error
        try:
            self._check_filled(pointer)
            model = self._successor(present, space)
        except ClipsearchError as error:
            self.refused = Refused(space, error, time.monotonic())
            if not isinstance(error, StorageError):  # that may pass by itself
                log.error("the model of space %s is refused: %s", space, error)  # an alert's words
            raise
        log.info("switched to model %r, space %s", model.encoder.name, space)
        self.refused = None
        return model

    def _newest_pointer(self) -> Pointer:
        if self._pointer is None or self._pointer.number:
            self._pointer = pointer_after(self._bucket, self._pointer)
        return self._pointer

    def _first(self, pointer: Pointer) -> Model:
        """The current model; after a switch to an empty index, the one before."""
        try:
            self._check_filled(pointer)
            space = pointer.space
        except NotReady:
            space = pointer.previous or pointer.space
        return Model(self._bucket, load_bundle(self._bucket, space, self._allowed), *self._places)

    def _check_filled(self, pointer: Pointer) -> None:
        """NotReady if the index of the current model is empty and another one can answer.

        Without a model to go back to, an empty index is a 503 for every instance alike."""
        if pointer.previous is None:
            return
        for folder in ("segments", "commits"):
            if next(iter(self._bucket.list(f"{pointer.space}/{folder}/")), None):
                return
        raise NotReady(f"an index of photos for the model {pointer.space}")

    def _successor(self, present: Model, space: str) -> Model:
        """Load the model of `space` as far as the present one is loaded.

        So no request meets a slower model. Raises NoModel, StorageError, and DamagedObject if
        the bundle is incomplete, damaged or unusable.
        """
        bundle = load_bundle(self._bucket, space, self._allowed)
        bundle.check_complete()
        model = Model(self._bucket, bundle, *self._places)
        try:
            model.load_like(present)
        except ClipsearchError:
            raise
        except Exception as exc:
            # intact but unusable, such as a graph that this ONNX Runtime does not support
            reason = f"it cannot be used: {type(exc).__name__}"
            raise DamagedObject(f"models/{space}", reason) from exc
        return model

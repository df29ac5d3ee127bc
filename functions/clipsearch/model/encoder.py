"""CLIP: texts and pictures -> vectors of length 1.

A tower (towers.py) is built when it is first needed: a text query never loads the image tower and
`ingest` never loads the text tower. Never at import: the framework forks after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clipsearch.cpus import cpus
from clipsearch.images.decode import Photo, decode_photo
from clipsearch.images.preprocess import preprocess
from clipsearch.imports import import_in_turn
from clipsearch.model.bundle import (
    Bundle,
    LocalBundle,
    RemoteBundle,
    Tower,
    load_bundle,
    read_bundle,
)
from clipsearch.model.towers import ImageTower, TextTower

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from clipsearch.storage import Bucket

    Floats = np.ndarray[Any, np.dtype[np.float32]]


T = TypeVar("T")

MAX_BATCH = 16  # at a time, on all cores together: bounds the memory, and more are no faster


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """`vectors` (N, D) float32, rows of length 1; `truncated[i]`: text i was longer than the
    model's context and was cut."""

    vectors: Floats
    truncated: list[bool]


@dataclass(frozen=True, slots=True)
class Logits:
    """`per_image` (N, M), `per_text` (M, N) float32: CLIPModel's logits_per_image and
    logits_per_text, the cosines times the checkpoint's logit scale. `truncated` as above."""

    per_image: Floats
    per_text: Floats
    truncated: list[bool]


class Encoder:
    """A bundle ready to encode. Cheap to make; safe to share between threads.

    The first use of a tower raises what fetching it raises: DamagedObject, StorageError.
    Nothing is remembered of a failure, so the next use tries again.
    """

    def __init__(self, source: LocalBundle | RemoteBundle, side_by_side: bool = False) -> None:
        """`side_by_side`: pictures are encoded each on one core, as many as there are at once,
        which is a fifth quicker for who has many. Otherwise each is encoded on all cores: for
        who waits for one."""
        self._source = source
        threads = 1 if side_by_side else cpus()
        self._text = _Lazy(lambda: _load(source, "text", TextTower))
        self._image = _Lazy(lambda: _load(source, "image", lambda at: ImageTower(at, threads)))

    @classmethod
    def from_bucket(
        cls, bucket: Bucket, model: str = "current", side_by_side: bool = False
    ) -> Encoder:
        """The bundle of a space in the index bucket. NoModel, DamagedObject, StorageError."""
        return cls(load_bundle(bucket, model), side_by_side)

    @classmethod
    def from_folder(cls, folder: Path, side_by_side: bool = False) -> Encoder:
        """A bundle in a local folder. NoModel, DamagedObject."""
        return cls(read_bundle(folder), side_by_side)

    @property
    def bundle(self) -> Bundle:
        return self._source.bundle

    @property
    def space(self) -> str:
        return self.bundle.space

    @property
    def name(self) -> str:
        return self.bundle.name

    @property
    def dim(self) -> int:
        return self.bundle.dim

    @property
    def image_size(self) -> int:
        """The side of the square that the image tower sees, in pixels."""
        return self.bundle.image_size

    def decode(self, data: bytes) -> Photo:
        """A photo's bytes, for this encoder. PhotoTooLarge, UnreadablePhoto."""
        return decode_photo(data, self.image_size, self.bundle.preprocessing)

    @property
    def logit_scale(self) -> float:
        return self.bundle.logit_scale

    @property
    def loaded(self) -> set[Tower]:
        """The towers whose sessions exist."""
        towers: dict[Tower, _Lazy[Any]] = {"image": self._image, "text": self._text}
        return {tower for tower, lazy in towers.items() if lazy.value is not None}

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        """The tokens of each text, start and end included, and whether the text was cut."""
        return self._text.get().tokenize(texts, self.bundle.context_length)

    def encode_text(self, texts: Sequence[str]) -> TextEmbedding:
        """Any texts; those longer than the model's context are cut and flagged."""
        rows, truncated = self.tokenize(texts) if texts else ([], [])
        import numpy as np  # by now imported, while the files were on their way

        if not rows:
            return TextEmbedding(np.empty((0, self.dim), np.float32), [])
        vectors = [self._text.get().encode(part) for part in _cut(rows, self._batch("text"))]
        return TextEmbedding(np.concatenate(vectors), truncated)

    def encode_image(self, images: Sequence[Image.Image]) -> Floats:
        """Upright pictures of any size and mode -> (N, dim), rows of length 1."""
        import numpy as np

        if not images:
            return np.empty((0, self.dim), np.float32)
        at_once = cpus()
        size = min(self._batch("image") // at_once, -(-len(images) // at_once))
        parts = _cut(images, max(1, size))
        if len(parts) == 1:
            return self._encode_part(parts[0])
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(at_once) as pool:
            return np.concatenate(list(pool.map(self._encode_part, parts)))

    def _encode_part(self, images: Sequence[Image.Image]) -> Floats:
        import numpy as np

        pixels = np.stack([preprocess(image, self.image_size) for image in images])
        return self._image.get().encode(pixels)

    def logits(self, images: Sequence[Image.Image], texts: Sequence[str]) -> Logits:
        """How well each of N pictures goes with each of M texts; a softmax over a row of
        `per_image` gives the probability of each text, if one of them is the right one."""
        text = self.encode_text(texts)
        per_image = self.logit_scale * (self.encode_image(images) @ text.vectors.T)
        return Logits(per_image, per_image.T, text.truncated)

    def _batch(self, tower: Tower) -> int:
        """How many go through a tower at once. In 8 bits one: activations are rounded by their
        range, so a vector would depend on its neighbours, and a photo would not find itself."""
        return 1 if self.bundle.precision[tower] == "int8" else MAX_BATCH


def _cut(items: Any, size: int) -> list[Any]:
    """A sequence or an array, in pieces of `size`."""
    return [items[i : i + size] for i in range(0, len(items), size)]


class _Lazy(Generic[T]):
    """Built once, by whichever thread comes first; a failed build is tried again next time."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self.value: T | None = None

    def get(self) -> T:
        if self.value is None:
            with self._lock:
                if self.value is None:
                    self.value = self._build()
        return self.value


def _load(source: LocalBundle | RemoteBundle, tower: Tower, build: Callable[[Path], T]) -> T:
    with ThreadPoolExecutor(1, "clipsearch-imports") as beside:
        imported = beside.submit(import_in_turn, "onnxruntime")
        # ONNX Runtime has copied the matrices once the session exists: what was downloaded can
        # go (on Cloud Run the file system is memory).
        with source.files(tower) as folder:
            imported.result()
            return build(folder)

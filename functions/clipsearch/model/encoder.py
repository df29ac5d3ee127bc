"""CLIP: encodes texts and pictures as vectors of length 1.

A tower (towers.py) is loaded on first use: a text query never loads the image tower and `ingest`
never loads the text tower. Nothing is loaded at import, because the framework forks later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsearch.cpus import cpus
from clipsearch.model.bundle import (
    Bundle,
    LocalBundle,
    RemoteBundle,
    Tower,
    load_bundle,
    read_bundle,
)
from clipsearch.model.lazy_tower import LazyTower
from clipsearch.model.towers import ImageTower, TextTower

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from clipsearch.images.decode import Photo
    from clipsearch.images.preprocess import Resample, Resize
    from clipsearch.storage import Bucket

    Floats = np.ndarray[Any, np.dtype[np.float32]]


GROUP = 4  # on one core: in fp32 a tenth faster than one by one, and 16 are no faster
MAX_BATCH = 16  # on all cores together: limits the memory, and larger batches are no faster


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """`vectors`: (N, D) float32, rows of length 1.

    `truncated[i]`: whether text i was cut to the model's context.
    """

    vectors: Floats
    truncated: list[bool]


@dataclass(frozen=True, slots=True)
class Logits:
    """`per_image` (N, M), `per_text` (M, N) float32: cosines times the logit scale, plus the bias.

    They equal logits_per_image and logits_per_text of the model in transformers. `truncated[i]`:
    whether text i was cut to the model's context.
    """

    per_image: Floats
    per_text: Floats
    truncated: list[bool]


class Encoder:
    """Encodes with the model of a bundle. Cheap to create; safe to use from several threads.

    The first use of a tower may raise DamagedObject or StorageError. The next use tries again.
    """

    def __init__(self, source: LocalBundle | RemoteBundle, side_by_side: bool = False) -> None:
        """`side_by_side`: encode each picture on one core, one per core at once.

        That has a fifth more throughput. The default encodes each picture on all cores, which has
        the lower latency.
        """
        self._source = source
        threads = 1 if side_by_side else cpus()
        variant = source.bundle.variant
        self._text = LazyTower(source, "text", lambda at: TextTower(at, variant))
        self._image = LazyTower(source, "image", lambda at: ImageTower(at, threads))

    @classmethod
    def from_bucket(
        cls,
        bucket: Bucket,
        model: str = "current",
        side_by_side: bool = False,
        allowed: Collection[str] = (),
    ) -> Encoder:
        """Load the bundle of a space from the index bucket.

        `allowed`: digests, see bundle.check_allowed(). Raises NoModel, DamagedObject, StorageError.
        """
        return cls(load_bundle(bucket, model, allowed), side_by_side)

    @classmethod
    def from_folder(cls, folder: Path, side_by_side: bool = False) -> Encoder:
        """Load the bundle in a local folder. Raises NoModel, DamagedObject."""
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
        """Side of the image tower's square input, in pixels."""
        return self.bundle.image_size

    def decode(self, data: bytes) -> Photo:
        """Decode a photo for this encoder. Raises PhotoTooLarge, UnreadablePhoto."""
        from clipsearch.images.decode import decode_photo  # not for texts

        return decode_photo(data, *self._steps())

    def square(self, data: bytes) -> Image.Image:
        """The `square` of decode(), in half the time. Raises the same."""
        from clipsearch.images.decode import decode_square

        return decode_square(data, *self._steps())

    def _steps(self) -> tuple[int, int, Resize, Resample]:
        bundle = self.bundle
        variant = bundle.variant
        return bundle.image_size, bundle.preprocessing, variant.resize, variant.resample

    @property
    def logit_scale(self) -> float:
        return self.bundle.logit_scale

    @property
    def logit_bias(self) -> float:
        """What is added to a cosine times the scale; 0 for all families but SigLIP."""
        return self.bundle.logit_bias

    @property
    def loaded(self) -> set[Tower]:
        """Towers that are already loaded."""
        towers: dict[Tower, LazyTower[Any]] = {"image": self._image, "text": self._text}
        return {tower for tower, lazy in towers.items() if lazy.value is not None}

    def tokenize(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        """Return (tokens of each text with start and end, whether each text was cut).

        Each text is put into the model's text template first, if it has one.
        """
        return self._text.get().tokenize(texts, self.bundle.context_length)

    def encode_text(self, texts: Sequence[str]) -> TextEmbedding:
        """Encode texts, in the model's text template if it has one.

        Texts beyond the model's context are cut and flagged.
        """
        rows, truncated = self.tokenize(texts) if texts else ([], [])
        import numpy as np  # already imported during the download

        if not rows:
            return TextEmbedding(np.empty((0, self.dim), np.float32), [])
        vectors = [self._text.get().encode(part) for part in _cut(rows, self._batch("text"))]
        return TextEmbedding(np.concatenate(vectors), truncated)

    def encode_image(self, images: Sequence[Image.Image]) -> Floats:
        """Encode upright pictures of any size and mode. Returns (N, D), rows of length 1."""
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

    @property
    def group(self) -> int:
        """How many pictures encode_here() takes at most: more are no faster."""
        return min(GROUP, self._batch("image"))

    def encode_here(self, images: Sequence[Image.Image]) -> Floats:
        """Encode 1 to `group` pictures as encode_image() does, in this thread alone. It needs an
        encoder that works `side_by_side`."""
        return self._encode_part(images)

    def _encode_part(self, images: Sequence[Image.Image]) -> Floats:
        import numpy as np

        from clipsearch.images.preprocess import preprocess

        size, variant = self.image_size, self.bundle.variant
        pixels = np.stack(
            [preprocess(image, size, variant.resize, variant.resample) for image in images]
        )
        return self._image.get().encode(pixels)

    def logits(self, images: Sequence[Image.Image], texts: Sequence[str]) -> Logits:
        """Score each of N pictures against each of M texts.

        A softmax over a row of `per_image` is the probability of each text, if exactly one is
        right. With SigLIP the sigmoid of a logit is the probability of that text alone
        (`bundle.variant.sigmoid`).
        """
        text = self.encode_text(texts)
        cosines = self.encode_image(images) @ text.vectors.T
        per_image = self.logit_scale * cosines + self.logit_bias
        return Logits(per_image, per_image.T, text.truncated)

    def _batch(self, tower: Tower) -> int:
        """Return the batch size of a tower.

        For int8 it is 1: activations are quantised by the range of the batch. So vectors would
        depend on their neighbours, and a photo would not find itself.
        """
        return 1 if self.bundle.precision[tower] == "int8" else MAX_BATCH


def _cut(items: Any, size: int) -> list[Any]:
    """Split a sequence or array into pieces of `size`."""
    return [items[i : i + size] for i in range(0, len(items), size)]

"""CLIP's two towers as ONNX Runtime sessions: texts and pictures -> vectors of length 1.

A session is built when its tower is first needed: a text query never loads the image tower
and `ingest` never loads the text tower. Never at import: the framework forks after it.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clipsearch.bundle import Bundle, LocalBundle, RemoteBundle, Tower, load_bundle, read_bundle
from clipsearch.preprocess import preprocess

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    import tokenizers
    from PIL import Image

    from clipsearch.storage import Bucket

    Floats = np.ndarray[Any, np.dtype[np.float32]]


T = TypeVar("T")

# In 8 bits everything is encoded one by one: activations are rounded by their range, so that
# in a batch a vector would depend on its neighbours. On a CPU a batch is no faster anyway.
MAX_BATCH = 32  # pictures at a time in fp32: bounds the memory


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """`vectors` (N, D) float32, rows of length 1; `truncated[i]`: text i was longer than the
    model's context and was cut."""

    vectors: Floats
    truncated: list[bool]


class Encoder:
    """A bundle ready to encode. Cheap to make; safe to share between threads.

    The first use of a tower raises what fetching it raises: DamagedObject, StorageError.
    Nothing is remembered of a failure, so the next use tries again.
    """

    def __init__(self, source: LocalBundle | RemoteBundle) -> None:
        self._source = source
        self._text = _Lazy(lambda: _load(source, "text", _TextTower))
        self._image = _Lazy(lambda: _load(source, "image", _ImageTower))

    @classmethod
    def from_bucket(cls, bucket: Bucket, model: str = "current") -> Encoder:
        """The bundle of a space in the index bucket. NoModel, DamagedObject, StorageError."""
        return cls(load_bundle(bucket, model))

    @classmethod
    def from_folder(cls, folder: Path) -> Encoder:
        """A bundle in a local folder. NoModel, DamagedObject."""
        return cls(read_bundle(folder))

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
        import numpy as np

        if not texts:
            return TextEmbedding(np.empty((0, self.dim), np.float32), [])
        rows, truncated = self.tokenize(texts)
        batches = [[row] for row in rows] if self.bundle.precision["text"] == "int8" else [rows]
        vectors = np.concatenate([self._text.get().encode(batch) for batch in batches])
        return TextEmbedding(vectors, truncated)

    def encode_image(self, images: Sequence[Image.Image]) -> Floats:
        """Upright pictures of any size and mode (decode.py) -> (N, dim), rows of length 1."""
        import numpy as np

        if not images:
            return np.empty((0, self.dim), np.float32)
        batch = 1 if self.bundle.precision["image"] == "int8" else MAX_BATCH
        vectors = []
        for start in range(0, len(images), batch):
            part = images[start : start + batch]
            pixels = np.stack([preprocess(image, self.image_size) for image in part])
            vectors.append(self._image.get().encode(pixels))
        return np.concatenate(vectors)


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


class _ImageTower:
    def __init__(self, folder: Path) -> None:
        self._session = _session(folder / "image.onnx")

    def encode(self, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Floats:
        """(N, S, S, 3) uint8 -> (N, D)."""
        vectors: Floats = self._session.run(None, {"pixels": pixels})[0]
        return vectors


class _TextTower:
    def __init__(self, folder: Path) -> None:
        # One after the other: at the same time is no faster, and takes a third more memory.
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        self._session = _session(folder / "text.onnx")

    def tokenize(
        self, texts: Sequence[str], context_length: int
    ) -> tuple[list[list[int]], list[bool]]:
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        truncated = [len(row) > context_length for row in rows]
        rows = [
            [*row[: context_length - 1], row[-1]] if cut else row
            for row, cut in zip(rows, truncated, strict=True)
        ]
        return rows, truncated

    def encode(self, rows: list[list[int]]) -> Floats:
        """Token lists -> (N, D)."""
        import numpy as np

        # The tower is causal and pools at the first end token: what follows it changes nothing,
        # so a batch is padded with end tokens, and only up to its longest text.
        ids = np.full((len(rows), max(map(len, rows))), rows[0][-1], np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
        vectors: Floats = self._session.run(None, {"input_ids": ids})[0]
        return vectors


def _load(source: LocalBundle | RemoteBundle, tower: Tower, build: Callable[[Path], T]) -> T:
    with (
        tempfile.TemporaryDirectory(prefix="clipsearch-") as folder,
        ThreadPoolExecutor(1) as pool,
    ):
        files = pool.submit(source.fetch, tower, Path(folder))
        importlib.import_module("onnxruntime")  # while they are on their way
        # ONNX Runtime has copied the matrices once the session exists: what was downloaded can
        # go (on Cloud Run the file system is memory).
        return build(files.result())


def _session(path: Path) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _cpus()
    # Spinning threads take the cores from the other requests of this process.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    # By path, never as bytes: those would be held twice (measured: twice the load time too).
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _tokenizer(path: Path) -> tokenizers.Tokenizer:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

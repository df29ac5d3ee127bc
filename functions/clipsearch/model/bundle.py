"""A model as files, in a folder or in the index bucket: model.json, two ONNX graphs with
their weights beside them, and the tokenizer.

    models/<space>/{image.onnx, image.onnx.data, text.onnx, text.onnx.data, tokenizer.json, …}
    models/<space>/model.json               written last: a bundle without it does not exist
    models/current/<12 digits>.json         which bundle is current: see pointer.py
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import (
    DamagedObject,
    NoModel,
    ObjectExists,
    ObjectNotFound,
)
from clipsearch.model import pointer
from clipsearch.model.manifest import (
    FILES,
    MODEL_JSON,
    Bundle,
    Tower,
    parse_bundle,
    space_of,
)
from clipsearch.model.pointer import Pointer, current_space

if TYPE_CHECKING:
    from clipsearch.storage import Bucket

__all__ = [
    "FILES",
    "MODEL_JSON",
    "Bundle",
    "LocalBundle",
    "RemoteBundle",
    "Tower",
    "current_space",
    "load_bundle",
    "publish_bundle",
    "publish_next",
    "read_bundle",
    "space_of",
]

MISSING = "missing, though model.json names it"


@dataclass(frozen=True, slots=True)
class LocalBundle:
    """A bundle in a folder; its files are used where they are."""

    bundle: Bundle
    folder: Path

    @contextmanager
    def files(self, tower: Tower) -> Iterator[Path]:
        """The folder with the tower's files, after checking them (DamagedObject)."""
        for file in self.bundle.files_of(tower):
            path = self.folder / file
            if not path.is_file():
                raise DamagedObject(str(path), MISSING)
            _check(self.bundle, path, str(path))
        yield self.folder


@dataclass(frozen=True, slots=True)
class RemoteBundle:
    """A bundle in a bucket; a tower's files are downloaded when they are needed."""

    bundle: Bundle
    bucket: Bucket

    @contextmanager
    def files(self, tower: Tower) -> Iterator[Path]:
        """A temporary folder with the tower's files: `fetch`, and gone at the end."""
        import tempfile  # with what it imports 9 ms, which a local bundle need not wait for

        with tempfile.TemporaryDirectory(prefix="clipsearch-") as folder:
            self.fetch(tower, Path(folder))
            yield Path(folder)

    def check_complete(self) -> None:
        """A look at the listing: is every file there, as long as model.json says? What the
        files hold is checked when they are fetched. DamagedObject, StorageError."""
        prefix = f"models/{self.bundle.space}/"
        found = {stat.name.removeprefix(prefix): stat.size for stat in self.bucket.list(prefix)}
        for file, size in self.bundle.sizes.items():
            if file not in found:
                raise DamagedObject(f"{prefix}{file}", MISSING)
            if found[file] != size:
                reason = f"it has {found[file]:,} bytes, model.json says {size:,}"
                raise DamagedObject(f"{prefix}{file}", reason)

    def fetch(self, tower: Tower, folder: Path) -> None:
        """Download the tower's files into `folder`, at the same time, and check them.

        DamagedObject if one is missing or is not what model.json says; StorageError."""
        files = self.bundle.files_of(tower)
        with ThreadPoolExecutor(len(files), "clipsearch-model") as pool:
            list(pool.map(partial(self._fetch, folder), files))

    def _fetch(self, folder: Path, file: str) -> None:
        name = f"models/{self.bundle.space}/{file}"
        try:
            self.bucket.download(name, folder / file)
        except ObjectNotFound as exc:
            raise DamagedObject(name, MISSING) from exc
        _check(self.bundle, folder / file, name)


def _check(bundle: Bundle, path: Path, name: str) -> None:
    # Mapped, so that it is one call: read part by part, the thread would have to win the GIL
    # back after each from the one that is importing ONNX Runtime, at 5 ms a time.
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        digest = hashlib.sha256(data).hexdigest()
    wanted = bundle.files[path.name]
    if digest != wanted:
        raise DamagedObject(name, f"its SHA-256 is {digest[:12]}…, model.json says {wanted[:12]}…")


def read_bundle(folder: Path) -> LocalBundle:
    """The bundle in a folder. NoModel if there is no model.json, DamagedObject."""
    path = folder / MODEL_JSON
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NoModel(f"{MODEL_JSON} in {str(folder)!r}") from exc
    return LocalBundle(parse_bundle(data, str(path)), folder)


def load_bundle(bucket: Bucket, space: str = "current") -> RemoteBundle:
    """A bundle in the index bucket, by its space. NoModel, DamagedObject, StorageError."""
    if space == "current":
        space = current_space(bucket)
    name = f"models/{space}/{MODEL_JSON}"
    try:
        data = bucket.read(name)
    except ObjectNotFound as exc:
        raise NoModel(f"the bundle {space!r} in {bucket.url}") from exc
    bundle = parse_bundle(data, name)
    if bundle.space != space:
        raise DamagedObject(name, f"it is the bundle of space {bundle.space!r}")
    return RemoteBundle(bundle, bucket)


def publish_bundle(
    folder: Path,
    bucket: Bucket,
    make_current: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Put the bundle of a folder into the index bucket; returns its space. May be repeated.

    `say` is told of each file before it goes.
    model.json goes last and becomes current after that, so a reader never sees half a bundle.
    """
    local = read_bundle(folder)
    space = local.bundle.space
    with local.files("image"), local.files("text"):
        pass  # they are what model.json says
    for file in (*local.bundle.files, MODEL_JSON):
        name = f"models/{space}/{file}"
        say(f"{name}, {(folder / file).stat().st_size / 1e6:.1f} MB")
        kind = "application/json" if file.endswith(".json") else "application/octet-stream"
        try:
            bucket.create(name, (folder / file).read_bytes(), kind)
        except ObjectExists:
            # The same space with another report is the same model; anything else is not it.
            if file != MODEL_JSON:
                raise DamagedObject(name, "the bucket holds other bytes under this name") from None
            load_bundle(bucket, space)
    if make_current:
        pointer.make_current(bucket, space)
    return space


def publish_next(
    folder: Path, bucket: Bucket, say: Callable[[str], None] = lambda line: None
) -> Pointer:
    """Put a bundle in as `publish_bundle` does, without a gap in the answers.

    It becomes current if no model is. Otherwise its space is marked as being filled, and the
    current model stays. Returns the pointer that counts.
    """
    space = publish_bundle(folder, bucket, make_current=False, say=say)
    try:
        return pointer.start_filling(bucket, space)
    except NoModel:
        pointer.make_current(bucket, space)
        return pointer.current_pointer(bucket)

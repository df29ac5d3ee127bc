"""A model as files in a folder or in the index bucket.

The files: model.json, two ONNX graphs, their weights, and the tokenizer.

    models/<space>/{image.onnx, image.onnx.data, text.onnx, text.onnx.data, tokenizer.json, …}
    models/<space>/model.json               written last: without it the bundle does not exist
    models/current/<12 digits>.json         points to the current bundle: see pointer.py
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import (
    DamagedObject,
    ModelDiffers,
    ModelNotAllowed,
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
    "check_allowed",
    "current_space",
    "digest_in",
    "load_bundle",
    "publish_bundle",
    "publish_next",
    "read_bundle",
    "space_of",
]

MISSING = "missing, but model.json lists it"


@dataclass(frozen=True, slots=True)
class LocalBundle:
    """A bundle in a folder. Its files are used in place."""

    bundle: Bundle
    folder: Path

    @contextmanager
    def files(self, tower: Tower) -> Iterator[Path]:
        """Yield the folder after checking the tower's files. Raises DamagedObject."""
        for file in self.bundle.files_of(tower):
            path = self.folder / file
            if not path.is_file():
                raise DamagedObject(str(path), MISSING)
            _check(self.bundle, path, str(path))
        yield self.folder


@dataclass(frozen=True, slots=True)
class RemoteBundle:
    """A bundle in a bucket. The files of a tower are downloaded on demand."""

    bundle: Bundle
    bucket: Bucket

    @contextmanager
    def files(self, tower: Tower) -> Iterator[Path]:
        """Yield a temporary folder with the tower's files. Raises what `fetch` raises."""
        import tempfile  # takes 9 ms, which a local bundle can save

        with tempfile.TemporaryDirectory(prefix="clipsearch-") as folder:
            self.fetch(tower, Path(folder))
            yield Path(folder)

    def check_complete(self) -> None:
        """Check by listing that all files exist with the sizes in model.json.

        `fetch` checks their content. Raises DamagedObject, StorageError.
        """
        prefix = f"models/{self.bundle.space}/"
        found = {stat.name.removeprefix(prefix): stat.size for stat in self.bucket.list(prefix)}
        for file, size in self.bundle.sizes.items():
            if file not in found:
                raise DamagedObject(f"{prefix}{file}", MISSING)
            if found[file] != size:
                reason = f"it has {found[file]:,} bytes; model.json says {size:,}"
                raise DamagedObject(f"{prefix}{file}", reason)

    def fetch(self, tower: Tower, folder: Path) -> None:
        """Download the tower's files into `folder` in parallel and check their SHA-256.

        Raises DamagedObject if a file is missing or differs from model.json; StorageError.
        """
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
    # Mapped and hashed in one call. After each smaller read the thread would wait 5 ms for the GIL,
    # because another thread imports ONNX Runtime.
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        digest = hashlib.sha256(data).hexdigest()
    wanted = bundle.files[path.name]
    if digest != wanted:
        raise DamagedObject(name, f"its SHA-256 is {digest[:12]}…; model.json says {wanted[:12]}…")


def read_bundle(folder: Path) -> LocalBundle:
    """Read the bundle in a folder. Raises NoModel if it has no model.json, DamagedObject."""
    path = folder / MODEL_JSON
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NoModel(f"{MODEL_JSON} in {str(folder)!r}") from exc
    return LocalBundle(parse_bundle(data, str(path)), folder)


def load_bundle(
    bucket: Bucket, space: str = "current", allowed: Collection[str] = ()
) -> RemoteBundle:
    """Load the bundle of `space` from the index bucket.

    `allowed`: see check_allowed(). Raises NoModel, DamagedObject, StorageError.
    """
    if space == "current":
        space = current_space(bucket)
    name = f"models/{space}/{MODEL_JSON}"
    try:
        data = bucket.read(name)
    except ObjectNotFound as exc:
        raise NoModel(f"the bundle {space!r} in {bucket.url}") from exc
    check_allowed(data, name, allowed)
    bundle = parse_bundle(data, name)
    if bundle.space != space:
        raise DamagedObject(name, f"it belongs to space {bundle.space!r}")
    return RemoteBundle(bundle, bucket)


def check_allowed(data: bytes, name: str, allowed: Collection[str]) -> None:
    """Raise ModelNotAllowed if `allowed` has digests, but not that of this model.json.

    A digest is the SHA-256 of model.json as 64 hexadecimal digits. model.json has the SHA-256 of
    each file of the bundle, so its digest stands for all of them.
    """
    digest = hashlib.sha256(data).hexdigest()
    if allowed and digest not in allowed:
        raise ModelNotAllowed(name, digest, allowed)


def digest_in(folder: Path) -> str:
    """The digest of the bundle in a folder, see check_allowed(). OSError."""
    return hashlib.sha256((folder / MODEL_JSON).read_bytes()).hexdigest()


def publish_bundle(
    folder: Path,
    bucket: Bucket,
    make_current: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Upload the bundle of a folder to the index bucket and return its space. Idempotent.

    `say` gets a line for each file before its upload. model.json is uploaded last and only then
    becomes current, so readers never see half a bundle. Raises NoModel, DamagedObject,
    StorageError, and ModelDiffers if the bucket has the space with another text template.
    """
    local = read_bundle(folder)
    space = local.bundle.space
    with local.files("image"), local.files("text"):
        pass  # only the check
    for file in (*local.bundle.files, MODEL_JSON):
        name = f"models/{space}/{file}"
        say(f"{name}, {(folder / file).stat().st_size / 1e6:.1f} MB")
        kind = "application/json" if file.endswith(".json") else "application/octet-stream"
        try:
            bucket.create(name, (folder / file).read_bytes(), kind)
        except ObjectExists:
            # model.json may differ in its report; the other files must be equal.
            if file != MODEL_JSON:
                raise DamagedObject(name, "the bucket has a different file of this name") from None
            _check_template(local.bundle, load_bundle(bucket, space).bundle, name)
    if make_current:
        pointer.make_current(bucket, space)
    return space


def _check_template(ours: Bundle, theirs: Bundle, name: str) -> None:
    """Raise ModelDiffers if the published bundle has another text template."""
    if ours.variant.text_template != theirs.variant.text_template:
        raise ModelDiffers(name, ours.variant.text_template, theirs.variant.text_template)


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

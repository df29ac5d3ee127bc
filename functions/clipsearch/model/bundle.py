"""A model as files, in a folder or in the index bucket: model.json, two ONNX graphs with
their weights beside them, and the tokenizer.

    models/<space>/{image.onnx, image.onnx.data, text.onnx, text.onnx.data, tokenizer.json, …}
    models/<space>/model.json               written last: a bundle without it does not exist
    models/current/<12 digits>.json         which bundle is current; the greatest number counts
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.errors import (
    DamagedObject,
    NoModel,
    ObjectExists,
    ObjectNotFound,
    StorageError,
)
from clipsearch.model.manifest import (
    FILES,
    MODEL_JSON,
    Bundle,
    Tower,
    parse_bundle,
    space_of,
)

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
    "read_bundle",
    "space_of",
]


# Of pointers to the current model; and how often others may be faster.
MAX_NUMBER = 99_999_999_999
RACES = 20
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


def current_space(bucket: Bucket) -> str:
    """The space of the current bundle. NoModel, DamagedObject, StorageError.

    A damaged pointer is no reason to take the one before: `ingest` would write into its space."""
    number = _newest_number(bucket)
    if not number:
        raise NoModel(f"the current model in {bucket.url}")
    return _space_at(bucket, number)


def _newest_number(bucket: Bucket) -> int:
    """0 if there is no pointer. Numbers above MAX_NUMBER are not ours: nothing could follow."""
    names = [stat.name for stat in bucket.list("models/current/")]
    found = [re.fullmatch(r"models/current/(\d{12})\.json", name) for name in names]
    numbers = [int(match[1]) for match in found if match]
    return max((number for number in numbers if number <= MAX_NUMBER), default=0)


def _space_at(bucket: Bucket, number: int) -> str:
    name = _current_name(number)
    try:
        space = json.loads(bucket.read(name))["space"]
        if not re.fullmatch("[0-9a-f]{12}", space):
            raise ValueError(f"{space!r:.100} is not a space")
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise DamagedObject(name, "not a pointer to the current model") from exc
    return str(space)


def _current_name(number: int) -> str:
    return f"models/current/{number:012d}.json"


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
        _point_to(bucket, space)
    return space


def _point_to(bucket: Bucket, space: str) -> None:
    pointer = {"space": space, "created": datetime.now(UTC).isoformat()}
    data = json.dumps(pointer).encode()
    for _ in range(RACES):
        number = _newest_number(bucket)
        with suppress(DamagedObject):  # the next number heals it
            if number and _space_at(bucket, number) == space:
                return
        if number == MAX_NUMBER:
            break
        try:
            bucket.create(_current_name(number + 1), data, "application/json")
            return
        except ObjectExists:  # somebody else was faster: look again
            continue
    raise StorageError(f"no number after {number} could be had for models/current in {bucket.url}")

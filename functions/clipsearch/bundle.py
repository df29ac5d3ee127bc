"""A model as files, in a folder or in the index bucket: model.json, two ONNX graphs with
their weights beside them, and the tokenizer.

    models/<space>/{image.onnx, image.onnx.data, text.onnx, text.onnx.data, tokenizer.json}
    models/<space>/model.json               written last: a bundle without it does not exist
    models/current/<12 digits>.json         which bundle is current; the greatest number counts
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from clipsearch.errors import DamagedObject, NoModel, ObjectExists, ObjectNotFound
from clipsearch.preprocess import PREPROCESSING
from clipsearch.storage import Bucket

FORMAT = 1
MODEL_JSON = "model.json"

Tower = Literal["image", "text"]

TOWER_FILES: dict[Tower, tuple[str, ...]] = {
    "image": ("image.onnx", "image.onnx.data"),
    "text": ("text.onnx", "text.onnx.data", "tokenizer.json"),
}
FILES = tuple(file for files in TOWER_FILES.values() for file in files)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What model.json says. `files` maps each file's name to its SHA-256 (hex)."""

    space: str
    name: str
    dim: int
    logit_scale: float
    context_length: int
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    files: Mapping[str, str]
    sizes: Mapping[str, int]
    precision: Mapping[str, str]
    report: Mapping[str, Any]

    def to_json(self) -> bytes:
        document = {
            "format": FORMAT,
            "space": self.space,
            "name": self.name,
            "dim": self.dim,
            "logit_scale": self.logit_scale,
            "context_length": self.context_length,
            "image_size": self.image_size,
            "mean": list(self.mean),
            "std": list(self.std),
            "files": {
                file: {"sha256": digest, "bytes": self.sizes[file]}
                for file, digest in self.files.items()
            },
            "precision": dict(self.precision),
            "report": dict(self.report),
        }
        return json.dumps(document, indent=1).encode() + b"\n"


def space_of(
    files: Mapping[str, str],
    *,
    dim: int,
    context_length: int,
    image_size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> str:
    """The embedding space: 12 hex digits over all that decides what a vector is."""
    facts = {
        "files": dict(files),
        "dim": dim,
        "context_length": context_length,
        "image_size": image_size,
        "mean": list(mean),
        "std": list(std),
        "preprocessing": PREPROCESSING,
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def parse_bundle(data: bytes, where: str) -> Bundle:
    """model.json -> Bundle. DamagedObject(where, …) if it is not one, or if its space is not
    the one that its contents give (another version of the preprocessing, a changed digest)."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise DamagedObject(where, f"format {document['format']!r}; this code reads {FORMAT}")
        red, green, blue = (float(value) for value in document["mean"])
        std_red, std_green, std_blue = (float(value) for value in document["std"])
        bundle = Bundle(
            space=str(document["space"]),
            name=str(document["name"]),
            dim=int(document["dim"]),
            logit_scale=float(document["logit_scale"]),
            context_length=int(document["context_length"]),
            image_size=int(document["image_size"]),
            mean=(red, green, blue),
            std=(std_red, std_green, std_blue),
            files={file: str(document["files"][file]["sha256"]) for file in FILES},
            sizes={file: int(document["files"][file]["bytes"]) for file in FILES},
            precision=dict(document["precision"]),
            report=dict(document["report"]),
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise DamagedObject(where, f"not a model.json: {type(exc).__name__} {exc}") from exc
    space = space_of(
        bundle.files,
        dim=bundle.dim,
        context_length=bundle.context_length,
        image_size=bundle.image_size,
        mean=bundle.mean,
        std=bundle.std,
    )
    if space != bundle.space:
        raise DamagedObject(where, f"it says space {bundle.space!r}, its contents give {space!r}")
    return bundle


@dataclass(frozen=True, slots=True)
class LocalBundle:
    """A bundle in a folder; its files are used where they are."""

    bundle: Bundle
    folder: Path

    def fetch(self, tower: Tower, folder: Path) -> Path:
        """The folder that holds the tower's files, after checking them (DamagedObject)."""
        files = TOWER_FILES[tower]
        with ThreadPoolExecutor(len(files)) as pool:
            list(pool.map(lambda file: _check(self.bundle, file, self.folder, self.folder), files))
        return self.folder


@dataclass(frozen=True, slots=True)
class RemoteBundle:
    """A bundle in a bucket; a tower's files are downloaded when they are needed."""

    bundle: Bundle
    bucket: Bucket

    def fetch(self, tower: Tower, folder: Path) -> Path:
        """Download the tower's files into `folder`, concurrently, and return it.

        DamagedObject if one is missing or is not what model.json says; StorageError."""
        files = TOWER_FILES[tower]
        with ThreadPoolExecutor(len(files)) as pool:
            list(pool.map(lambda file: self._fetch(file, folder), files))
        return folder

    def _fetch(self, file: str, folder: Path) -> None:
        name = f"models/{self.bundle.space}/{file}"
        try:
            self.bucket.download(name, folder / file)
        except ObjectNotFound as exc:
            raise DamagedObject(name, "missing, though model.json names it") from exc
        _check(self.bundle, file, folder, name)


def _check(bundle: Bundle, file: str, folder: Path, where: object) -> None:
    try:
        with (folder / file).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as exc:
        raise DamagedObject(str(folder / file), "missing, though model.json names it") from exc
    if digest != bundle.files[file]:
        name = str(folder / file) if where == folder else str(where)
        raise DamagedObject(
            name, f"SHA-256 {digest[:12]}…, model.json says {bundle.files[file][:12]}…"
        )


def read_bundle(folder: Path) -> LocalBundle:
    """The bundle in a folder. NoModel if there is no model.json, DamagedObject."""
    path = folder / MODEL_JSON
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NoModel(f"no {MODEL_JSON} in {str(folder)!r}") from exc
    return LocalBundle(parse_bundle(data, str(path)), folder)


def load_bundle(bucket: Bucket, space: str = "current") -> RemoteBundle:
    """A bundle in the index bucket, by its space. NoModel, DamagedObject, StorageError."""
    if space == "current":
        space = current_space(bucket)
    name = f"models/{space}/{MODEL_JSON}"
    try:
        data = bucket.read(name)
    except ObjectNotFound as exc:
        raise NoModel(f"no bundle {space!r} in {bucket.url}") from exc
    bundle = parse_bundle(data, name)
    if bundle.space != space:
        raise DamagedObject(name, f"it is the bundle of space {bundle.space!r}")
    return RemoteBundle(bundle, bucket)


def current_space(bucket: Bucket) -> str:
    """The space of the current bundle. NoModel, DamagedObject, StorageError."""
    number, space = _newest_current(bucket)
    if not number:
        raise NoModel(f"no current model in {bucket.url}")
    return space


def _newest_current(bucket: Bucket) -> tuple[int, str]:
    names = [stat.name for stat in bucket.list("models/current/")]
    numbers = [
        int(match[1]) for name in names if (match := re.search(r"/current/(\d{12})\.json$", name))
    ]
    if not numbers:
        return 0, ""
    name = _current_name(max(numbers))
    try:
        return max(numbers), str(json.loads(bucket.read(name))["space"])
    except (ValueError, KeyError, TypeError) as exc:
        raise DamagedObject(name, "not a pointer to the current model") from exc


def _current_name(number: int) -> str:
    return f"models/current/{number:012d}.json"


def publish_bundle(folder: Path, bucket: Bucket, make_current: bool = True) -> str:
    """Put the bundle of a folder into the index bucket; returns its space. May be repeated.

    model.json goes last and becomes current after that, so a reader never sees half a bundle.
    """
    local = read_bundle(folder)
    space = local.bundle.space
    for tower in TOWER_FILES:
        local.fetch(tower, folder)
    for file in (*FILES, MODEL_JSON):
        name = f"models/{space}/{file}"
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
    while True:
        number, current = _newest_current(bucket)
        if current == space:
            return
        pointer = {"space": space, "created": datetime.now(UTC).isoformat()}
        try:
            data = json.dumps(pointer).encode()
            bucket.create(_current_name(number + 1), data, "application/json")
            return
        except ObjectExists:  # somebody else was faster: look again
            continue

"""The input of both sides, made once: models, pictures, and two indexes of the same photos."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import faiss

from benchmarks.encoder import MODELS, PHOTOS, make_models
from benchmarks.index.data import Data, name_of
from cli import ROOT
from clipsearch.model.bundle import publish_bundle, read_bundle
from clipsearch.storage.local import FolderBucket

BUNDLE = MODELS / "int8"


@dataclass(frozen=True)
class World:
    """`model`: a transformers folder. `bucket`: our index. `original`: their index. `folder`:
    pictures for queries and for indexing."""

    photos: int
    model: Path
    bucket: Path
    original: Path
    folder: Path

    @property
    def pictures(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    @property
    def names(self) -> list[str]:
        """The names of some photos, spread evenly over the index."""
        return [name_of(number) for number in range(0, self.photos, 1 + self.photos // 5_000)]


def make_world(photos: int) -> World:
    make_models()
    space = read_bundle(BUNDLE).bundle.space
    folder = ROOT / "build" / "bench" / f"system-{photos}-{space}"
    world = World(photos, MODELS / "hf", folder / "index", folder / "original", PHOTOS)
    Data.load(None).write_library(world.bucket, photos, space)  # first: it may start from scratch
    publish_bundle(BUNDLE, FolderBucket(world.bucket))
    if not (world.original / "filenames.txt").exists():
        _write_original(world)
    return world


def _write_original(world: World) -> None:
    """Write the index like the original's script: a pickled index, and a file of names."""
    data = Data.load(None)
    index = faiss.IndexFlatIP(data.base.shape[1])
    for block in data.photos(world.photos):
        index.add(block)
    world.original.mkdir(parents=True, exist_ok=True)
    with (world.original / "index.pkl").open("wb") as file:
        pickle.dump(index, file)
    names = "".join(f"{name_of(number)}\n" for number in range(world.photos))
    (world.original / "filenames.txt").write_text(names)

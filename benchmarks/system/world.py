"""The input of both sides, made once: models, pictures, and two indexes of the same photos."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import faiss

from benchmarks.encoder import MODELS, PHOTOS, make_models
from benchmarks.index.data import MADE_UP, Data, name_of
from cli import ROOT
from clipsearch.model.bundle import publish_bundle, read_bundle
from clipsearch.model.manifest import TOWERS, Precision, Tower
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


def make_world(photos: int, data: Data | None = None) -> World:
    """`data`: real vectors; then the model is aimed at them. Raises ValueError, see aim()."""
    make_models()
    model, bundle, data = MODELS / "hf", BUNDLE, data or Data.load(None)
    if data.origin != MADE_UP:
        model, bundle = _aimed(data)
    space = read_bundle(bundle).bundle.space
    folder = ROOT / "build" / "bench" / f"system-{photos}-{data.origin}-{space}"
    world = World(photos, model, folder / "index", folder / "original", PHOTOS)
    data.write_library(world.bucket, photos, space)  # first: it may start from scratch
    publish_bundle(bundle, FolderBucket(world.bucket))
    if not (world.original / "filenames.txt").exists():
        _write_original(world, data)
    return world


def _aimed(data: Data) -> tuple[Path, Path]:
    """A transformers model and our bundle of it, made once."""
    from benchmarks.system.aimed import aim
    from model_export.checkpoint import load_checkpoint
    from model_export.write_bundle import export_bundle

    folder = MODELS.with_name(f"{MODELS.name}-{data.origin}")
    model, bundle = folder / "hf", folder / "int8"
    if not (bundle / "model.json").exists():
        aim(MODELS / "hf", model, data, sorted(PHOTOS.iterdir()))
        precision: dict[Tower, Precision] = dict.fromkeys(TOWERS, "int8")
        checkpoint = load_checkpoint(model, "ViT-B/32")
        export_bundle(checkpoint, bundle, name="vit-b32-aimed-int8", precision=precision)
    return model, bundle


def _write_original(world: World, data: Data) -> None:
    """Write the index like the original's script: a pickled index, and a file of names."""
    index = faiss.IndexFlatIP(data.base.shape[1])
    for block in data.photos(world.photos):
        index.add(block)
    world.original.mkdir(parents=True, exist_ok=True)
    with (world.original / "index.pkl").open("wb") as file:
        pickle.dump(index, file)
    names = "".join(f"{name_of(number)}\n" for number in range(world.photos))
    (world.original / "filenames.txt").write_text(names)

"""Where the bundles that were exported here lie, and whether one is still what its checkpoint
gives. Knows no torch: `make run` asks, too.

    build/models/openai/clip-vit-base-patch32/     of the Hugging Face hub, by its id
    build/models/my-clip-1f0c93aa/                 of a folder: its name, and a hash of its path
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from clipsearch.errors import ClipsearchError
from clipsearch.model.bundle import read_bundle
from clipsearch.model.manifest import MODEL_JSON, tower_of
from model_export import ROOT
from model_export.files import OPENCLIP_WEIGHTS, SMALL_FILES, WEIGHTS

MODELS = ROOT / "build" / "models"
SOURCE = "source.json"  # beside the bundle, no part of it: what it was made from


def checkpoint_folder(model: str) -> Path | None:
    """The folder that `model` is, whether or not it exists; None if it is a hub's id."""
    path = Path(model).expanduser()
    if path.exists() or model.startswith(("/", ".", "~")) or model.endswith("/"):
        return path.resolve()
    return None


def place_of(model: str, models: Path = MODELS) -> Path:
    """The folder in which the bundle of `model` belongs."""
    folder = checkpoint_folder(model)
    if folder is None:
        return models / model
    return models / f"{folder.name}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}"


def source_of(model: str) -> dict[str, Any]:
    """What a bundle is made from: an id, or a folder's files with their sizes and times."""
    folder = checkpoint_folder(model)
    if folder is None:
        return {"model": model}
    files = {}
    ours = {*SMALL_FILES, *WEIGHTS, *OPENCLIP_WEIGHTS}
    for path in sorted(folder.iterdir()):
        if path.name in ours or "-of-" in path.name:
            status = path.stat()
            files[path.name] = [status.st_size, status.st_mtime_ns]
    return {"model": os.fsdecode(folder), "files": files}


def is_current(bundle: Path, model: str) -> bool:
    """Is there a bundle that this code can use, made from `model` as it is now?"""
    try:
        sizes = read_bundle(bundle).bundle.sizes
        if any((bundle / file).stat().st_size != size for file, size in sizes.items()):
            return False
        return bool(json.loads((bundle / SOURCE).read_bytes()) == source_of(model))
    except (ClipsearchError, OSError, ValueError):
        return False


def foreign_files(folder: Path) -> list[str]:
    """What lies in `folder` and is of no bundle: an export would spoil it, or be spoilt."""
    if not folder.exists():
        return []
    ours = {MODEL_JSON, SOURCE}
    return sorted(p.name for p in folder.iterdir() if p.name not in ours and not tower_of(p.name))

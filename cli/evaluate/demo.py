"""The demo world as a captioned set: pictures of held-out scenes, their descriptions as captions.

`make evaluate-demo` measures the same scenes and drawings.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cli.common.errors import RunError
from cli.common.progress import bar
from cli.reconcile.options import Options as ReconcileOptions
from cli.reconcile.plan import make_plan
from cli.reconcile.work import carry_out
from clipsearch.model.bundle import publish_bundle
from clipsearch.settings import Settings
from clipsearch.storage import open_bucket
from ingest.services import Services
from model_export.demo import BUNDLE
from model_export.demo.evaluate import PICTURE_SIZE, SEED, held_out_scenes
from model_export.demo.scenes import Scene, draw, random_scene

PREFIX = "held-out/"


@dataclass(frozen=True)
class DemoSet:
    captions: Path
    index: str


def make_demo_set(folder: Path, count: int, others: int) -> DemoSet:
    """Draw and index `count` captioned scenes and `others` without a caption below `folder`.

    Right pictures are kept. They are PNG, so that the encoder sees every pixel as drawn.
    """
    photos, index = folder / "photos", (folder / "index").as_uri()
    captions = folder / "captions.json"
    rng = np.random.default_rng(SEED)
    scenes = held_out_scenes(count, rng)
    drawn = (draw(scene, PICTURE_SIZE, rng) for scene in scenes)
    _write(photos / PREFIX, drawn, count)
    _write(photos / "others", _random_pictures(others), others)
    captions.write_text(json.dumps(_coco(scenes), indent=1) + "\n")
    _index(photos, index, folder / "thumbnails")
    return DemoSet(captions, index)


def _random_pictures(count: int) -> Iterator[Image.Image]:
    rng = np.random.default_rng(SEED + 1)
    return (draw(random_scene(rng), PICTURE_SIZE, rng) for _ in range(count))


def _write(folder: Path, pictures: Iterator[Image.Image], count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(bar("drawing", pictures, total=count)):
        file = io.BytesIO()
        picture.save(file, "PNG")
        path = folder / _file_name(number)
        if not path.is_file() or path.read_bytes() != file.getvalue():
            path.write_bytes(file.getvalue())


def _file_name(number: int) -> str:
    return f"{number:05}.png"


def _coco(scenes: list[Scene]) -> dict[str, object]:
    return {
        "info": {"description": "held-out scenes of clipsearch's demo model"},
        "images": [{"id": i, "file_name": _file_name(i)} for i in range(len(scenes))],
        "annotations": [
            {"id": i, "image_id": i, "caption": scene.describe()} for i, scene in enumerate(scenes)
        ],
    }


def _index(photos: Path, index: str, thumbnails: Path) -> None:
    """As `clipsearch reconcile` does it."""
    space = publish_bundle(BUNDLE, open_bucket(index))
    settings = Settings.from_env(
        {
            "CLIPSEARCH_PHOTOS": photos.as_uri(),
            "CLIPSEARCH_INDEX": index,
            "CLIPSEARCH_THUMBNAILS": thumbnails.as_uri(),
            "CLIPSEARCH_PHOTOS_URL": "http://localhost",
            "CLIPSEARCH_THUMBNAILS_URL": "http://localhost",
        }
    )
    services = Services(settings)
    options = ReconcileOptions(services, space, False, False, services.want)
    plan = make_plan(options)
    if (plan.photos or plan.orphans) and carry_out(options, plan)["pending"]:
        raise RunError(f"the demo pictures in {photos} could not all be indexed")

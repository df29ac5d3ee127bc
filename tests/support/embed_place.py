"""Photos, a model and an index in folders, for `clipsearch embed`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from cli.embed.job import Job
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import Bucket, open_bucket
from ingest.messages import Wanted
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle


@dataclass(frozen=True)
class Place:
    folder: Path
    job: Job

    @property
    def photos(self) -> Bucket:
        return open_bucket(self.job.photos)

    @property
    def index(self) -> Bucket:
        return open_bucket(self.job.index)

    def put(self, name: str, data: bytes | None = None) -> None:
        path = self.folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg() if data is None else data)

    def wanted(self) -> list[Wanted]:
        """All photos, as for an index without any."""
        return [
            Wanted(stat.name, stat.generation, stat.size, at=stat.generation, known=0)
            for stat in self.photos.list()
        ]

    def arguments(self) -> list[str]:
        return [
            *("--photos", self.job.photos, "--index", str(self.folder / "index")),
            *("--thumbnails", str(self.folder / "thumbnails")),
        ]

    def beside(self, folder: Path) -> Place:
        """The same photos, with a copy of index and thumbnails."""
        for part in ("index", "thumbnails"):
            if (self.folder / part).is_dir():
                shutil.copytree(self.folder / part, folder / part)
        index, thumbnails = ((folder / part).as_uri() for part in ("index", "thumbnails"))
        return Place(folder, replace(self.job, index=index, thumbnails=thumbnails))


def make(folder: Path) -> Place:
    """Empty buckets with a model."""
    (folder / "photos").mkdir(parents=True)
    index = open_bucket((folder / "index").as_uri())
    space = publish_bundle(make_tiny_bundle(folder / "model"), index)
    photos, thumbnails = ((folder / part).as_uri() for part in ("photos", "thumbnails"))
    return Place(folder, Job(photos, (folder / "index").as_uri(), thumbnails, space))

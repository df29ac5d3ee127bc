"""What each side is given: paths, texts, pictures and vectors. Needs no package but numpy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LIMIT = 20
PHOTOS = 16  # encoded at once
FILE = "given.json"


@dataclass(frozen=True)
class Given:
    """`folder`: of the world, with each side's index. `checkpoint`: the model for transformers.
    `bundles`: the folder with our bundles by precision. `pictures`: a folder with some JPEGs.
    `many`: one with PHOTOS of them. `index`: ours. `texts`: to encode."""

    folder: str
    photos: int
    checkpoint: str
    bundles: str
    pictures: str
    many: str
    index: str
    space: str
    texts: list[str]

    @classmethod
    def read(cls, folder: Path) -> Given:
        return cls(**json.loads((folder / FILE).read_text()))

    def write(self) -> None:
        (Path(self.folder) / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n")

    def own(self, side: str) -> Path:
        """The folder for what a side builds."""
        folder = Path(self.folder) / side
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def picture_paths(self) -> list[Path]:
        return sorted(Path(self.pictures).iterdir())

    @property
    def many_paths(self) -> list[Path]:
        return sorted(Path(self.many).iterdir())

    @property
    def vectors_file(self) -> Path:
        return Path(self.folder) / "vectors" / "vectors.npy"

    def vectors(self) -> Any:
        """(photos, d) float32, rows of length 1."""
        import numpy as np

        return np.load(self.vectors_file)

    def queries(self) -> Any:
        """(q, d) float32: vectors of texts."""
        import numpy as np

        return np.load(Path(self.folder) / "queries.npy")

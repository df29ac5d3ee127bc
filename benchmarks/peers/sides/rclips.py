"""rclip: its own search, which reads all vectors from SQLite for each query. The query's vector is
given, because its encoder would have to be downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import LIMIT, Given

EFFORTS = (None,)
FOLDER = "/photos"


def build(given: Given) -> None:
    from rclip.db import DB, NewImage

    path = given.own("rclips") / "db.sqlite3"
    path.unlink(missing_ok=True)
    database = DB(path)
    for row, vector in enumerate(given.vectors()):
        image = NewImage(
            filepath=f"{FOLDER}/{row}.jpg",
            modified_at=0.0,
            size=row,
            vector=vector.tobytes(),
            hash=str(row),
        )
        database.upsert_image(image, commit=False)
    database.close()


def open_side(what: str, given: Given, effort: None) -> Callable[[int], Any]:
    from rclip.db import DB
    from rclip.main import RClip
    from rclip.model import Model

    queries = given.queries()
    model = Model()
    model.compute_text_features = lambda texts: queries[[int(text) for text in texts]]
    searcher = RClip(model, DB(given.own("rclips") / "db.sqlite3"), 8, None)

    def search(number: int) -> list[int]:
        found = searcher.search(str(number % len(queries)), FOLDER, LIMIT)
        return [int(one.filepath.removeprefix(f"{FOLDER}/")[:-4]) for one in found]

    return search

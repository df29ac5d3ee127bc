"""The original app, re-created for measurement. It contains no code of the original.

uvicorn --factory benchmarks.system.original:create_app. ORIGINAL_MODEL is the folder of the model,
ORIGINAL_INDEX the folder with index.pkl and filenames.txt.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

from fastapi import FastAPI, UploadFile

from benchmarks.encoder_sides import theirs

BEST = 20


def create_app() -> FastAPI:
    """The app, with model and index loaded before the first request."""
    folder = Path(os.environ["ORIGINAL_INDEX"])
    with (folder / "index.pkl").open("rb") as file:
        index = pickle.load(file)
    names = (folder / "filenames.txt").read_text().splitlines()
    encode_text, encode_images = theirs(os.environ["ORIGINAL_MODEL"])
    app = FastAPI()

    # async, although nothing in them awaits: requests run one by one, each on all cores.
    @app.get("/text")
    async def by_text(query: str) -> dict[str, Any]:
        return found(encode_text(query))

    @app.post("/picture")
    async def by_picture(image: UploadFile) -> dict[str, Any]:
        return found(encode_images([await image.read()]))

    def found(vector: Any) -> dict[str, Any]:
        scores, rows = index.search(vector, BEST)
        pairs = zip(scores[0].tolist(), rows[0].tolist(), strict=True)
        return {"results": [{"name": names[row], "score": 100 * score} for score, row in pairs]}

    return app

"""Count the storage requests of one upload: the real `ingest`, with indexes of three sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.index.data import SEGMENT, entries
from cli import ROOT
from clipsearch.index.format.segments import new_segment_name, segment_bytes, segment_path
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage.local import FolderBucket

SIZES = (1_000, 100_000, 1_000_000)
BUNDLE = ROOT / "model_export" / "demo" / "bundle"

# The function in the real framework, with a counting storage. It never merges, which an upload
# sometimes does: tests/index/compaction/test_merge.py has the amortised cost.
INGEST = """
import importlib, json, sys
from collections import Counter
from pathlib import Path
from functions_framework import create_app
client = create_app("ingest", "functions/main.py").test_client()
importlib.import_module("ingest.maintenance").ONE_IN = 10**9
from clipsearch.storage import local
counts = Counter()
class Counting(local.FolderBucket):
    def create(self, name, data, *more, **named):
        counts.update(requests=1, bytes=len(data))
        return super().create(name, data, *more, **named)
    def read(self, name, *more, **named):
        data = super().read(name, *more, **named)
        counts.update(requests=1, bytes=len(data))
        return data
    def stat(self, name):
        counts.update(requests=1)
        return super().stat(name)
    def list(self, *more, **named):
        counts.update(requests=1)
        return super().list(*more, **named)
    def delete(self, name, *more, **named):
        counts.update(requests=1)
        super().delete(name, *more, **named)
def send(name):
    stat = local.FolderBucket(Path(sys.argv[1])).stat(name)
    resource = {"bucket": "photos", "name": name, "generation": str(stat.generation)}
    headers = {
        "ce-id": "1", "ce-source": "bench", "ce-specversion": "1.0",
        "ce-type": "google.cloud.storage.object.v1.finalized",
    }
    answer = client.post("/", json={**resource, "size": str(stat.size)}, headers=headers)
    assert answer.status_code < 300, answer.text
local.FolderBucket = Counting
send("warm-up.jpg")
counts.clear()
send("holiday.jpg")
print(json.dumps(counts))
"""


def measure() -> dict[str, dict[str, int]]:
    """`requests` and `bytes` of one upload, to and from all buckets, by photos in the index."""
    return {str(size): measure_one(size) for size in SIZES}


def measure_one(size: int) -> dict[str, int]:
    """With an index of `size` photos."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bucket = FolderBucket(folder / "index")
        space = publish_bundle(BUNDLE, bucket)
        vectors = np.eye(
            8, dtype=np.float32
        )  # ingest never reads them, so a small dimension is enough
        for begin in range(0, size, SEGMENT):
            part = entries(begin, vectors[np.arange(min(SEGMENT, size - begin)) % 8])
            path = segment_path(space, new_segment_name(begin))
            bucket.create(path, segment_bytes(space, part))
        photos = FolderBucket(folder / "photos")
        for name in ("warm-up.jpg", "holiday.jpg"):
            photos.create(name, _photo())
        names = ("photos", "index", "thumbnails")
        settings = {f"CLIPSEARCH_{n.upper()}": (folder / n).as_uri() for n in names}
        urls = {f"CLIPSEARCH_{n}_URL": "http://localhost" for n in ("PHOTOS", "THUMBNAILS")}
        done = subprocess.run(
            [sys.executable, "-c", INGEST, str(photos.root)],
            cwd=ROOT,
            env={**os.environ, **settings, **urls},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
    counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counts


def _photo() -> bytes:
    pixels = np.random.default_rng(0).integers(256, size=(480, 640, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()

"""Upload to a large index from many processes, and measure when a refreshing search finds them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.index.data import SPACE
from cli import ROOT
from clipsearch.errors import PhotoNotIndexed
from clipsearch.index.format.segments import segment_path
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.storage.local import FolderBucket

WORKERS, UPLOADS = 16, 1000
REFRESH_EVERY = 1.0  # like search
PATIENCE_S = 30.0

# Writes like ingest, with the photo's vector given; prints the time of each write.
WORKER = """
import sys, time
sys.path[:0] = ["functions"]
import numpy as np
from pathlib import Path
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.storage.local import FolderBucket
folder, space, dimension, worker, count = sys.argv[1:]
bucket, chance = FolderBucket(Path(folder)), np.random.default_rng(int(worker))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(count)):
    vector = chance.standard_normal(int(dimension), dtype=np.float32)
    name = f"crowd/{worker}-{number}.jpg"
    entry = Entry(name, 1, Kind.VECTOR, 640, 480, vector=vector / np.linalg.norm(vector))
    segment = write_segment(bucket, space, [entry])
    print(name, segment, time.time(), flush=True)
"""


def measure(folder: Path) -> dict[str, float]:
    """`p50_s`, `p95_s`: seconds from the end of a write to the end of the refresh that has it."""
    bucket = FolderBucket(folder)
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
    index.update(reader.refresh())
    dimension = index.vector_of(reader.refresh().entries.name(0)).shape[0]
    workers = [_start(folder, dimension, number) for number in range(WORKERS)]
    for worker in workers:
        assert worker.stdout
        worker.stdout.readline()
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    found: dict[str, float] = {}
    names = [f"crowd/{w}-{n}.jpg" for w in range(WORKERS) for n in range(_share(w))]
    give_up = time.monotonic() + PATIENCE_S
    while len(found) < UPLOADS and time.monotonic() < give_up:
        begin = time.monotonic()
        index.update(reader.refresh())
        now = time.time()
        for name in names:
            if name not in found and _is_found(index, name):
                found[name] = now
        time.sleep(max(0.0, REFRESH_EVERY - (time.monotonic() - begin)))
    answered: dict[str, float] = {}
    for worker in workers:
        for line in worker.communicate()[0].splitlines():
            name, segment, at = line.split()
            answered[name] = float(at)
            bucket.delete(segment_path(SPACE, segment))
    waits = sorted(max(0.0, found[name] - at) for name, at in answered.items() if name in found)
    return {
        "uploads": len(answered),
        "lost": UPLOADS - len(waits),
        "p50_s": waits[len(waits) // 2],
        "p95_s": waits[int(len(waits) * 0.95)],
    }


def _share(worker: int) -> int:
    return UPLOADS // WORKERS + (worker < UPLOADS % WORKERS)


def _start(folder: Path, dimension: int, worker: int) -> subprocess.Popen[str]:
    arguments = [str(folder), SPACE, str(dimension), str(worker), str(_share(worker))]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _is_found(index: PhotoIndex, name: str) -> bool:
    try:
        index.vector_of(name)
    except PhotoNotIndexed:
        return False
    return True

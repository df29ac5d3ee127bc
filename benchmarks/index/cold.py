"""Time a new process until its first answer, and one that only reads the same bytes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.index.data import SPACE, Data
from cli import ROOT

ROUNDS = 9  # the machine is sometimes slow to provide memory

# Loads the index like a cold search. time.monotonic() is one clock for all processes; VmHWM is the
# peak of this one.
ANSWER = """
import importlib, sys, time
sys.path[:0] = ["functions"]
import numpy as np
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage.local import FolderBucket
beside = ThreadPoolExecutor(1)
importing = beside.submit(importlib.import_module, "clipsearch.index.search.photo_index")
query = np.load(sys.argv[2])
snapshot = SnapshotReader(FolderBucket(Path(sys.argv[1])), sys.argv[3]).refresh()
PhotoIndex = importing.result().PhotoIndex
index = PhotoIndex()
index.update(snapshot)
hits = index.search(query, 24)
now = time.monotonic()
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(now, int(peak[0].split()[1]), len(hits), snapshot.photos)
"""
# Reads the same objects, as many at a time, and keeps each until the end.
READ = """
import sys, time
sys.path[:0] = ["functions"]
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from clipsearch.storage.local import FolderBucket
bucket = FolderBucket(Path(sys.argv[1]))
kinds = ("commits", "quantizers", "packs")
names = [stat.name for kind in kinds for stat in bucket.list(f"{sys.argv[3]}/{kind}/")]
begin = time.monotonic()
with ThreadPoolExecutor(8) as pool:
    read = list(pool.map(bucket.read, names))
print(time.monotonic() - begin, sum(len(data) for data in read))
"""


def measure(folder: Path, data: Data) -> dict[str, float]:
    """`seconds` include the start of Python; `reading_s` does not."""
    answers, readings, peaks, size = [], [], [], 0.0
    with tempfile.TemporaryDirectory() as temporary:
        query = Path(temporary) / "query.npy"
        np.save(query, data.text_queries(1)[0])
        arguments = [str(folder), str(query), SPACE]
        _run(READ, arguments)  # so both find the files in the page cache
        for _ in range(ROUNDS):
            begin = time.monotonic()
            now, peak, hits, _ = _run(ANSWER, arguments)
            assert hits == 24
            answers.append(now - begin)
            peaks.append(peak)
            seconds, size = _run(READ, arguments)
            readings.append(seconds)
    answer, reading = statistics.median(answers), statistics.median(readings)
    return {
        "seconds": answer,
        "reading_s": reading,
        "ratio": answer / reading,
        "bytes": size,
        "peak_mb": round(max(peaks) * 1024 / 1e6),
    }


def _run(code: str, arguments: list[str]) -> list[float]:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
    return [float(word) for word in done.stdout.split()]

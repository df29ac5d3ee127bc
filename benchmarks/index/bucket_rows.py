"""Memory, recall, time and cold start of a search that leaves the rows of packs in the bucket."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index.data import SPACE, Data
from benchmarks.index.recall import bounds_of, query_sets, share_found
from benchmarks.index.search import LIMIT
from cli import ROOT

DELAY_S = 0.03  # of each request, as Cloud Storage takes
ROUNDS = 3

# Prints JSON: `cold` seconds from the start of Python to a first answer, `bytes` and `requests`
# until then; by query `ms`, `reads` and the `scores` found; at last `mb`, and `peak_mb`.
SEARCH = """
import sys, time
begin = time.monotonic()
sys.path[:0] = ["functions", "."]
import json
from pathlib import Path
import numpy as np
from benchmarks.index.bucket_rows import SlowFolder
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.bucket_shard import BucketShard
from clipsearch.index.search.photo_index import PhotoIndex
bucket, queries, limit = SlowFolder(Path(sys.argv[1])), np.load(sys.argv[2]), int(sys.argv[4])
index = PhotoIndex()
index.update(SnapshotReader(bucket, sys.argv[3], most_rows=0).refresh())
loaded = time.monotonic() - begin
told = {"bytes": bucket.bytes, "requests": bucket.requests}
index.search(queries[0], limit)
for shard in index.shards:
    if isinstance(shard, BucketShard):
        shard.stored.store.most = 0  # each search reads all its rows
told |= {"loaded": loaded, "cold": time.monotonic() - begin, "ms": [], "reads": [], "scores": []}
for query in queries:
    begin, reads = time.monotonic(), bucket.requests
    hits = index.search(query, limit)
    told["ms"].append(1e3 * (time.monotonic() - begin))
    told["reads"].append(bucket.requests - reads)
    told["scores"].append([hit.score for hit in hits])
lines = dict(line.split(":") for line in open("/proc/self/status") if line.startswith("Vm"))
told |= {"mb": int(lines["VmRSS"].split()[0]) * 1024 / 1e6}
told |= {"peak_mb": int(lines["VmHWM"].split()[0]) * 1024 / 1e6}
print(json.dumps(told))
"""
# Only reads what a cold start reads, as many objects at a time.
READ = """
import sys, time
sys.path[:0] = ["functions", "."]
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from benchmarks.index.bucket_rows import SlowFolder
from clipsearch.index.format.packs import parse_pack_path
bucket = SlowFolder(Path(sys.argv[1]))
kinds = ("commits", "quantizers", "packs")
names = [stat.name for kind in kinds for stat in bucket.list(f"{sys.argv[3]}/{kind}/")]
def read(name):
    said = parse_pack_path(name)
    return bucket.read(name, start=said.size if said else 0)
begin = time.monotonic()
with ThreadPoolExecutor(8) as pool:
    read = list(pool.map(read, names))
print(time.monotonic() - begin)
"""


class SlowFolder:
    """A folder as a bucket, in which each read and listing takes DELAY_S longer."""

    def __init__(self, root: Path) -> None:
        import threading

        from clipsearch.storage.local import FolderBucket

        self._bucket, self._lock = FolderBucket(root), threading.Lock()
        self.url = self._bucket.url
        self.requests = self.bytes = 0

    def __getattr__(self, name: str) -> Any:
        import time

        method = getattr(self._bucket, name)

        def slow(*args: Any, **more: Any) -> Any:
            time.sleep(DELAY_S)
            result = method(*args, **more)
            with self._lock:
                self.requests += 1
                self.bytes += len(result) if isinstance(result, bytes) else 0
            return result

        return slow


def measure(folder: Path, data: Data, photos: int, kind: str) -> dict[str, Any]:
    sets = query_sets(data)
    queries = np.concatenate(list(sets.values()))
    bounds = bounds_of(data, photos, kind, queries)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "queries.npy"
        np.save(file, queries)
        arguments = [str(folder), str(file), SPACE, str(LIMIT)]
        _run(READ, arguments)  # so both find the files in the page cache
        reading = statistics.median(_run(READ, arguments) for _ in range(ROUNDS))
        told = _run(SEARCH, arguments)
    found = [share_found(s, b) for s, b in zip(told.pop("scores"), bounds.tolist(), strict=True)]
    milliseconds, reads = told.pop("ms"), told.pop("reads")
    report: dict[str, Any] = {
        **told,
        "reading_s": reading,
        "ratio": told["loaded"] / reading,
        "p50_ms": statistics.median(milliseconds),
        "p95_ms": float(np.percentile(milliseconds, 95)),
    }
    begin = 0
    for said, part in sets.items():
        here = slice(begin, begin + len(part))
        report[said] = {
            "recall": statistics.fmean(found[here]),
            "first_percentile": float(np.percentile(found[here], 1)),
            "p50_ms": statistics.median(milliseconds[here]),
            "reads": statistics.median(reads[here]),
        }
        begin += len(part)
    return report


def _run(code: str, arguments: list[str]) -> Any:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def table(report: dict[str, Any]) -> str:
    lines = []
    for size, kinds in report.items():
        for kind, its in kinds.items():
            said = (
                f"{its['mb']:,.0f} MB, peak {its['peak_mb']:,.0f}; loaded in {its['loaded']:.1f} s"
            )
            said += f", {its['ratio']:.1f} x reading; "
            said += f"p50 {its['p50_ms']:.0f}, p95 {its['p95_ms']:.0f} ms"
            lines.append(f"{kind} {int(size):,}: {said}")
            lines += [
                f"  {said:12} recall {found['recall']:.4f}, 1 % {found['first_percentile']:.2f}; "
                f"p50 {found['p50_ms']:.0f} ms, {found['reads']:.0f} reads"
                for said, found in its.items()
                if isinstance(found, dict)
            ]
    return "\n".join([*lines, "Bounds at 10 M: 4 GB; 10 x reading; p50 500 ms; texts 0.985."])

"""python -m benchmarks.memory.parts FOLDER: what one process with this index holds, as JSON.

It works like `search`, without a model. The last line of its output is the result.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.memory.resident import forget_peak, resident
from cli import ROOT

LOOKED_UP = 24  # hits of a page
NAME = "IMG_0012345"


def measure(folder: Path) -> dict[str, Any]:
    """In a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory.parts", str(folder)],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _here(folder: Path) -> dict[str, Any]:
    steps: dict[str, dict[str, int]] = {"Python": resident()}

    def step(name: str, work: Callable[[], Any]) -> Any:
        """Do it, and note the memory after it, and its peak meanwhile."""
        forget_peak()
        begin, used = time.perf_counter(), time.process_time()
        result = work()
        ms = round(1e3 * (time.perf_counter() - begin))
        cpu_ms = round(1e3 * (time.process_time() - used))
        steps[name] = {**resident(), "ms": ms, "cpu_ms": cpu_ms}
        return result

    def imports() -> None:
        import clipsearch.index.reader.snapshot_reader
        import clipsearch.index.search.photo_index  # noqa: F401

    step("imports", imports)
    import numpy as np

    from benchmarks.index.data import SPACE, entries
    from benchmarks.memory.held import held
    from clipsearch.allocator import large_blocks_returned
    from clipsearch.index.format.segments import write_entries
    from clipsearch.index.reader.snapshot_reader import SnapshotReader
    from clipsearch.index.search.filter import Filter
    from clipsearch.index.search.photo_index import PhotoIndex
    from clipsearch.storage.local import FolderBucket

    bucket = FolderBucket(folder)
    reader, index = SnapshotReader(bucket, SPACE), PhotoIndex()
    with large_blocks_returned():
        snapshot = step("read the index", reader.refresh)
        step("index it", lambda: index.update(snapshot))
    dimension = index.shards[0].dimension
    query = np.random.default_rng(0).normal(size=dimension).astype(np.float32)
    query /= np.linalg.norm(query)
    step("search", lambda: index.search(query, LOOKED_UP))
    columns = held(reader=reader, index=index)
    step("search for a name", lambda: index.count(Filter(name=NAME)))
    step("a folder", lambda: index.count(Filter(folder="2023/")))
    step("the newest", lambda: index.newest(LOOKED_UP))
    step("facets", index.facets)
    segment = write_entries(bucket, SPACE, entries(90_000_000, query[None]))
    try:
        snapshot = step("one upload", lambda: _updated(reader, index))
    finally:
        (folder / SPACE / "segments" / segment).unlink()
    step("failures", lambda: (snapshot.skipped, snapshot.newest_failed(100)))
    timed = {
        "search": _cpu_ms(lambda: index.search(query, LOOKED_UP), 40),
        "look up 24 names": _look_up_ms(index),
        "search for a name, again": _name_ms(index),
    }
    return {
        "photos": snapshot.photos - 1,
        "steps": steps,
        "held": columns,
        "held after filters": held(reader=reader, index=index),
        "cpu_ms": timed,
    }


def _updated(reader: Any, index: Any) -> Any:
    snapshot = reader.refresh()
    index.update(snapshot)
    return snapshot


def _look_up_ms(index: Any) -> float:
    """CPU ms for the names of 24 rows anywhere, median of 200."""
    import numpy as np

    names = index._state.columns.names
    chance = np.random.default_rng(1)
    rows = [chance.integers(len(index._state.columns.entries), size=LOOKED_UP) for _ in range(200)]
    return _cpu_ms(lambda: names.texts(rows.pop()), 200)


def _name_ms(index: Any) -> float:
    """CPU ms to find a part of a name among all, again, median of 9."""
    return _cpu_ms(lambda: index._state.columns.names.containing(NAME), 9)


def _cpu_ms(work: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        begin = time.process_time()
        work()
        taken.append(1e3 * (time.process_time() - begin))
    return round(statistics.median(taken), 3)


if __name__ == "__main__":
    print(json.dumps(_here(Path(sys.argv[1]))))

"""One kind of index: what it costs to build, and what a search finds and reads."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lance
import numpy as np

from benchmarks.engine.library import EQUAL, LIMIT, direction_of, queries_of
from benchmarks.index.data import Data, Vectors
from clipsearch.engine.lance_table import VECTORS_PER_PARTITION, partitions_for
from clipsearch.engine.lance_version import INDEX
from clipsearch.engine.stretch import stretched

COLD = 10  # searches with nothing in memory, of each set


def build(folder: Path, kind: str, photos: int, codes: int) -> dict[str, float]:
    """Index the table. `codes`: bytes of a vector, for PQ."""
    more = {"num_sub_vectors": codes} if kind == "IVF_PQ" else {}
    begin, cpu = time.perf_counter(), time.process_time()
    lance.dataset(folder).create_index(
        "vector",
        kind,
        name=INDEX,
        metric="dot",
        replace=True,
        num_partitions=partitions_for(photos),
        sample_rate=VECTORS_PER_PARTITION,
        **more,
    )
    return {
        "cpu_s": time.process_time() - cpu,
        "seconds": time.perf_counter() - begin,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def search(
    folder: Path,
    data: Data,
    bounds: Mapping[str, Vectors],
    stretch: float,
    probes: int,
    refine: int,
) -> dict[str, dict[str, float]]:
    """By set of queries. Reads are those of Lance; each would be a request of Cloud Storage."""
    warm, common = lance.dataset(folder), direction_of(data)
    report = {}
    for said, queries in queries_of(data).items():
        asked = stretched(queries, common, 1 / stretch)
        recall, seconds, cpu, reads = [], [], [], []
        for query, bound in zip(asked, bounds[said], strict=True):
            found = _once(warm, query, probes, refine)
            recall.append(float((found["vectors"] @ query >= bound - EQUAL).sum()) / LIMIT)
            found = _once(warm, query, probes, refine)  # its partitions are in memory now
            seconds.append(found["seconds"])
            cpu.append(found["cpu_s"])
            reads.append(found["reads"])
        cold = [_once(lance.dataset(folder), query, probes, refine) for query in asked[:COLD]]
        report[said] = {
            "recall": statistics.fmean(recall),
            "ms": 1e3 * statistics.median(seconds),
            "cpu_ms": 1e3 * statistics.median(cpu),
            "reads": statistics.median(reads),
            "cold_ms": 1e3 * statistics.median(one["seconds"] for one in cold),
            "cold_reads": statistics.median(one["reads"] for one in cold),
            "cold_mb": statistics.median(one["bytes"] for one in cold) / 1e6,
        }
    return report


def _once(dataset: Any, query: Vectors, probes: int, refine: int) -> dict[str, Any]:
    nearest = {
        "column": "vector",
        "q": query.astype(np.float16),
        "k": LIMIT,
        "metric": "dot",
        "nprobes": probes,
        "refine_factor": refine,
    }
    dataset.io_stats_incremental()
    begin, cpu = time.perf_counter(), time.process_time()
    rows = dataset.to_table(columns=["vector", "_distance"], nearest=nearest)
    cpu_s, seconds = time.process_time() - cpu, time.perf_counter() - begin
    read = dataset.io_stats_incremental()
    numbers = rows["vector"].combine_chunks().flatten().to_numpy()
    return {
        "vectors": numbers.reshape(len(rows), -1).astype(np.float32),
        "seconds": seconds,
        "cpu_s": cpu_s,
        "reads": read.read_iops,
        "bytes": read.read_bytes,
    }

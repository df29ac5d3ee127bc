"""What a search function does with a table: photos of the table and newer ones as one index."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lance
import numpy as np

from benchmarks.engine.library import EQUAL, LIMIT, direction_of, queries_of
from benchmarks.index.data import Data, Vectors, entries, name_of, taken_of
from clipsearch.engine.lance_table import LanceTable
from clipsearch.engine.lance_version import LanceVersion
from clipsearch.engine.rows import INDEXED
from clipsearch.engine.table_base import TableBase
from clipsearch.engine.union import COMPARED, Union
from clipsearch.index.format.entries import Entries, key_of
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.search.filter import Filter, Moment
from clipsearch.index.search.kept import Kept
from clipsearch.index.search.small_index import index_of

NEWER = 10_000  # photos, a tenth of which replace rows of the table
UNINDEXED = 900  # rows of the table that its indexes lack: from 1,000 on the mirror adds them
ASKED = 1000  # newer entries that are compared with the table
TIMES = 20  # of each case
MONTH = 30 * 86_400


def measure(
    folder: Path, data: Data, bounds: Mapping[str, Vectors], photos: int
) -> list[dict[str, Any]]:
    """`folder`: of a table with an index of its vectors. `bounds`: of the queries by set."""
    dataset = lance.dataset(folder)
    indexed = {field for index in dataset.describe_indices() for field in index.field_names}
    for column, kind in INDEXED.items():
        if column not in indexed:
            dataset.create_scalar_index(column, kind)
    again = next(iter(data.photos(photos)))[:UNINDEXED]
    LanceTable(folder.as_uri(), again.shape[1], None).apply(_of([*range(UNINDEXED)], again))
    dataset = lance.dataset(folder)
    union, base = _union(dataset, folder, data, photos)
    sets = queries_of(data)
    chance, queries = np.random.default_rng(0), sets["names"]
    begins = (taken_of(0) + 60 * chance.integers(0, photos, TIMES)).tolist()
    month = [Filter(after=Moment(b), before=Moment(b + MONTH)) for b in begins]
    few = [Filter(after=Moment(b), before=Moment(b + 60 * 400)) for b in begins]

    def compare(i: int) -> None:
        news = _of([*chance.integers(0, photos, ASKED)])
        base.is_news(news, np.arange(ASKED))

    cases: dict[str, Callable[[int], object]] = {
        f"a text: the best {LIMIT}": lambda i: union.search(queries[i % 40], LIMIT),
        "the same, of a month": lambda i: union.search(queries[i % 40], LIMIT, filter=month[i]),
        "the same, of 400 photos": lambda i: union.search(queries[i % 40], LIMIT, filter=few[i]),
        f"the newest {COMPARED}": lambda i: union.newest(COMPARED),
        f"{COMPARED} from a date on": lambda i: union.newest(
            COMPARED, (begins[i], ""), oldest=True
        ),
        "the number of photos of a month": lambda i: union.count(month[i]),
        f"{ASKED} newer entries compared": compare,
    }
    report = [
        {"photos": photos, "case": said, **_timed(dataset, case)} for said, case in cases.items()
    ]
    nothing = Catalogue.empty()  # newer photos are not in the bounds
    alone = replace(
        union,
        newer=index_of(Entries.from_entries([])),
        entries=nothing,
        hidden=nothing,
        kept=Kept(0),
    )
    report[0]["recall"] = {said: _recall(alone, sets[said], bounds[said]) for said in sets}
    return report


def _recall(union: Union, queries: Vectors, bounds: Vectors) -> float:
    """`bounds`: the exact score of the best LIMIT-th photo of each query."""
    found = [
        sum(hit.score >= bound - EQUAL for hit in union.search(query, LIMIT))
        for query, bound in zip(queries, bounds, strict=True)
    ]
    return statistics.fmean(found) / LIMIT


def _union(dataset: Any, folder: Path, data: Data, photos: int) -> tuple[Union, TableBase]:
    table = LanceVersion(dataset, str(folder), direction_of(data))
    base = TableBase(table, frozenset(), data.base.shape[1])
    numbers = [*range(photos - NEWER // 10, photos + NEWER * 9 // 10)]
    newer = _of(numbers, next(iter(data.photos(NEWER))))
    catalogue, _ = Catalogue.empty().merged(newer, base.is_news)
    hidden = base.hidden(catalogue)
    union = Union(table, index_of(newer), catalogue, hidden, lambda: table.sample(1024), Kept(0))
    return union, base


def _of(numbers: list[int], vectors: Vectors | None = None) -> Entries:
    """Overwrites of the photos with these numbers."""
    parts = entries(0, np.zeros((len(numbers), 1), np.float32) if vectors is None else vectors)
    names = [name_of(number).encode() for number in numbers]
    return replace(
        parts,
        names=np.frombuffer(b"".join(names), np.uint8),
        name_ends=np.cumsum([len(name) for name in names], dtype=np.int64),
        keys=np.array([key_of(name.decode()) for name in names], np.uint64),
        generations=parts.generations + 10**12,
    )


def _timed(dataset: Any, case: Callable[[int], object]) -> dict[str, float]:
    seconds, cpu, reads = [], [], []
    for i in range(TIMES):
        dataset.io_stats_incremental()
        begin, begin_cpu = time.perf_counter(), time.process_time()
        case(i)
        seconds.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - begin_cpu)
        reads.append(dataset.io_stats_incremental().read_iops)
    return {
        "first_reads": reads[0],
        "ms": 1e3 * statistics.median(seconds),
        "cpu_ms": 1e3 * statistics.median(cpu),
        "reads": statistics.median(reads),
    }


def table(report: list[dict[str, Any]]) -> str:
    lines = [
        f"| photos, and {NEWER:,} newer | what | recall | ms (CPU) | reads, the first time |",
        "| --- | --- | --- | --- | --- |",
    ]
    for its in report:
        recall = ", ".join(f"{said} {found:.3f}" for said, found in its.get("recall", {}).items())
        lines.append(
            f"| {its['photos']:,} | {its['case']} | {recall} | {its['ms']:.0f} "
            f"({its['cpu_ms']:.0f}) | {its['reads']:.0f}, {its['first_reads']:.0f} |"
        )
    return "\n".join(lines)

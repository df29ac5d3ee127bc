"""docs/scale.md: its figures are those of the commands, and its assumptions those of the code."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from cli.costs import assumptions as a
from cli.costs.rows import lance_read_bytes, search_of
from cli.costs.tables import Library, tables
from cli.embed.costs import costs
from clipsearch.engine import lance_table
from clipsearch.engine.lance_version import PROBED
from clipsearch.engine.union import COMPARED, SPARE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "scale.md").read_text()
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text()
ENGINE = (ROOT / "docs" / "engine.md").read_text()
MILLION = 1_000_000
COLUMNS = (
    (10 * MILLION, "memory"),
    (10 * MILLION, "bucket"),
    (10 * MILLION, "lance"),
    (100 * MILLION, "lance"),
    (1000 * MILLION, "lance"),
)
PER_CORE = 21.2  # photos a second, on a processor with AVX2


def dollars(value: float) -> str:
    return f"${value:,.2f}" if value < 100 else f"${value:,.0f}"


def seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def long(seconds: float) -> str:
    hours = seconds / 3600
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def figures(photos: int, rows: str) -> dict[str, str]:
    """The cells of a column of the first table, by the name of their row."""
    made = {it.name: it for it in tables(Library(photos, 1000, 3.0, rows=rows))}
    search = search_of(photos, rows)
    idle = {line.what: line.usd for line in made["idle_month"].lines}
    vectors = [line.usd for line in made["searches"].lines if line.what == "vectors"]
    return {
        "an instance of `search`": f"{search.cpu} vCPU, {search.gib} GiB",
        "a month: keep the photos (3 MB each)": dollars(idle["photos"]),
        "a month: all else, idle": dollars(sum(idle.values()) - idle["photos"]),
        "1,000 searches": dollars(made["searches"].usd),
        "of it reading vectors": dollars(sum(vectors)),
        "a search; the first of an instance": f"{seconds(search.search_s)}; "
        f"{seconds(search.cold_s)}",
        "an instance kept warm, a month": dollars(search.warm_usd),
        "the ceiling of a day": dollars(made["busy_day"].usd),
    }


def rebuilding(photos: int) -> dict[str, str]:
    """The cells of a column of the second table."""
    workers = 500 if photos > 100 * MILLION else 50
    bulk = costs(photos, photos, 1 / PER_CORE, workers)
    ingest = tables(Library(photos, 0, 3.0))[0] if photos <= 10 * MILLION else None
    made = ingest or tables(Library(photos, 0, 3.0, rows="lance"))[0]
    mirror = sum(line.usd for line in made.lines if line.what.endswith("the table"))
    return {
        "`ingest`, 10 instances": long(photos * a.INDEX_S / a.INGEST_INSTANCES),
        "its cost": dollars(made.usd - mirror),
        "`clipsearch embed`, machines": f"{workers}",
        "its time": long(3600 * bulk.hours),
        "its cost: compute; requests": f"{dollars(bulk.compute)}; {dollars(bulk.requests)}",
        "`clipsearch mirror`, one core": long(photos * a.LANCE_COPY_S),
    }


def test_the_table_is_what_the_command_prints() -> None:
    columns = [figures(photos, rows) for photos, rows in COLUMNS]
    for name in columns[0]:
        row = " | ".join([name, *(column[name] for column in columns)])
        assert f"| {row} |" in GUIDE


def test_the_table_of_rebuilding_is_the_arithmetic() -> None:
    columns = [rebuilding(photos) for photos in (10 * MILLION, 100 * MILLION, 1000 * MILLION)]
    for name in columns[0]:
        row = " | ".join([name, *(column[name] for column in columns)])
        assert f"| {row} |" in GUIDE


def test_the_most_photos_of_an_instance() -> None:
    _, most = a.SEARCH_SIZES[-1]
    text = " ".join(GUIDE.split())
    for each in (a.MEMORY_BYTES, a.BUCKET_BYTES):
        photos = (most * a.GIB - a.PROCESS_BYTES) / each
        assert f"up to {photos // MILLION:.0f} million" in text


def test_the_assumptions_are_what_was_measured() -> None:
    [found] = re.findall(r"reads of a search, median.*?\| (\d+); (\d+) \|", BENCHMARKS)
    assert max(map(int, found)) <= a.BUCKET_READS <= a.MOST_BUCKET_READS
    [median] = re.findall(r"time of a search, median;.*?\| (\d+) ms;", BENCHMARKS)
    assert int(median) / 1000 <= a.BUCKET_S
    [megabytes] = re.findall(r"\| memory, and its peak \| (\d+) MB", BENCHMARKS)
    assert int(megabytes) <= a.BUCKET_BYTES + 52  # Python and imports
    [rate] = re.findall(r"photos a second and core: events; reconcile .*; ([\d.]+) \|", BENCHMARKS)
    assert float(rate) > PER_CORE  # with VNNI


def test_the_assumptions_of_lance_are_those_of_the_engine() -> None:
    photos = 10 * MILLION
    partitions = lance_table.partitions_for(photos)
    read = PROBED * photos / partitions * 136
    assert lance_read_bytes(photos) == pytest.approx(read, rel=0.001)
    assert read == pytest.approx(75e6, rel=0.05)  # docs/engine.md, measured
    assert "490 to 494; 75 MB" in ENGINE
    assert 2 * PROBED + COMPARED + SPARE <= a.LANCE_READS
    assert lance_table.CACHE == a.LANCE_CACHE_GIB * a.GIB
    for photos, share in ((100 * MILLION, "1.8 %"), (1000 * MILLION, "0.6 %")):
        assert f"{100 * PROBED / (math.sqrt(photos) / 2):.1f} %" == share
        assert share in GUIDE

"""Where search has the vectors: the size of its instances, and what a search then costs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cli.costs import assumptions as a
from cli.costs.rows import ROWS, search_of
from cli.costs.tables import Library, Table, tables
from cli.main import main
from clipsearch.index.compaction.build_packs import EXACT_LIMIT
from clipsearch.index.search.candidates import MOST_IN_BUCKET
from clipsearch.settings import ROWS as SETTING
from tests.terraform.conftest import TERRAFORM, parse

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "costs.md").read_text()
MILLION = 1_000_000


def amounts(table: Table) -> dict[str, float]:
    return {line.what: line.amount for line in table.lines}


def made(photos: int, rows: str, searches: int = 1000) -> dict[str, Table]:
    return {it.name: it for it in tables(Library(photos, searches, 3.0, rows=rows))}


@pytest.mark.parametrize(
    ("photos", "rows", "size"),
    [
        (0, "memory", (2, 2)),
        (819_000, "memory", (2, 2)),  # 1 GB + 819,000 x 1.4 kB = 2.00 GiB
        (820_000, "memory", (2, 4)),
        (1 * MILLION, "memory", (2, 4)),  # as docs/deploy.md says
        (10 * MILLION, "memory", (4, 16)),
        (1 * MILLION, "bucket", (2, 2)),
        (10 * MILLION, "bucket", (2, 8)),  # 5.5 GB
        (35 * MILLION, "bucket", (4, 16)),
        (1000 * MILLION, "lance", (2, 4)),
    ],
)
def test_the_size_of_search_follows_from_photos_and_rows(
    photos: int, rows: str, size: tuple[int, int]
) -> None:
    search = search_of(photos, rows)
    assert (search.cpu, search.gib) == size


def test_terraform_allows_these_sizes() -> None:
    condition = str(parse(TERRAFORM).variables["search"]["validation"])
    assert "contains([1, 2, 4], var.search.cpu)" in condition
    assert "var.search.memory_gib <= 4 * var.search.cpu" in condition
    assert all(cpu in (1, 2, 4) and gib <= 4 * cpu for cpu, gib in a.SEARCH_SIZES)
    assert a.SEARCH_SIZES[-1] == (4, 16)  # the most


def test_rows_in_the_bucket_add_their_reads_by_hand() -> None:
    memory, bucket = (made(MILLION, rows) for rows in ("memory", "bucket"))
    lines = amounts(bucket["searches"])
    assert lines["vectors"] == 900_000  # 1000 x 900
    [dollars] = [it.usd for it in bucket["searches"].lines if it.what == "vectors"]
    assert dollars == pytest.approx(0.36)  # x 0.0000004
    # 100 visits x 10.5 s + 900 x 0.5 s + 400 x 0.1 s
    assert lines["computing"] == pytest.approx(1540)
    assert "vectors" not in amounts(memory["searches"])
    assert bucket["indexing"] == memory["indexing"]
    assert bucket["idle_month"] == memory["idle_month"]


def test_the_ceiling_of_rows_in_the_bucket_by_hand() -> None:
    """4 instances x 86,400 s x 2 vCPU / 0.6 s = 1,152,000 searches of 1,280 reads."""
    day = made(MILLION, "bucket")["busy_day"]
    assert amounts(day)["its requests"] == pytest.approx(1_152_000)
    [vectors] = [line for line in day.lines if line.what == "its vectors"]
    assert vectors.usd == pytest.approx(589.824)
    assert vectors.limited_by == "rate_per_minute"
    text = " ".join(GUIDE.split())
    assert f"rises to ${made(10 * MILLION, 'bucket')['busy_day'].usd:,.0f} a day" in text


def test_a_small_library_has_its_rows_in_memory_whatever_is_set() -> None:
    few, more = (search_of(photos, "bucket") for photos in (EXACT_LIMIT, EXACT_LIMIT + 1))
    assert few == search_of(EXACT_LIMIT, "memory")
    assert (more.rows, more.reads) == ("bucket", 900)


def test_lance_adds_a_table_and_its_runs_and_what_a_search_reads() -> None:
    memory, lance = (made(10 * MILLION, rows) for rows in ("memory", "lance"))
    idle = amounts(lance["idle_month"])
    assert set(idle) - set(amounts(memory["idle_month"])) == {
        "table of Lance",
        "image with Lance",
        "schedule of the mirror",
        "runs of the mirror",
    }
    assert idle["table of Lance"] == pytest.approx(26.08, abs=0.01)  # 28 GB
    assert idle["runs of the mirror"] == pytest.approx(4377.6)  # 30.4 x 24 x 6
    searches = amounts(lance["searches"])
    assert searches["vectors"] == 540_000
    # a table opened for each search: 1000 more
    assert searches["looking for new photos"] == 2300
    indexing = amounts(lance["indexing"])
    assert indexing["copying to the table"] == pytest.approx(1000)
    assert indexing["segments for the table"] == 10 * MILLION
    day = amounts(lance["busy_day"])
    assert day["its listings"] == pytest.approx(241_920 + day["its requests"])
    slower = search_of(100 * MILLION, "lance")
    assert slower.search_s > search_of(10 * MILLION, "lance").search_s > 1


def test_the_mirror_by_hand() -> None:
    lines = {line.what: line.usd for line in made(0, "lance")["idle_month"].lines}
    assert lines["image with Lance"] == pytest.approx(0.09)  # 3 x 0.3 x 0.10
    assert lines["schedule of the mirror"] == pytest.approx(0.10)
    # 4,377.6 x (60 s x (0.000018 + 4 x 0.000002) + 18 x 0.000005 + 40 x 0.0000004)
    assert lines["runs of the mirror"] == pytest.approx(7.2930816)
    once = {line.what: line.usd for line in made(MILLION, "lance")["indexing"].lines}
    assert once["segments for the table"] == pytest.approx(0.40)
    assert once["copying to the table"] == pytest.approx(0.0026)  # 100 s x 0.000026
    found = dict(re.findall(r"(\w+)\W+optional\(number, (\d+)\)", str(mirror_variable())))
    size = {"cpu": a.MIRROR_CPU, "memory_gib": a.MIRROR_GIB, "minutes": a.MIRROR_MINUTES}
    assert {name: int(value) for name, value in found.items()} == size


def mirror_variable() -> object:
    return parse(TERRAFORM).variables["mirror"]["type"]


def test_the_page_of_the_engine_has_these_figures() -> None:
    text = " ".join((ROOT / "docs" / "engine.md").read_text().split())
    lines = {line.what: line.usd for line in made(0, "lance")["idle_month"].lines}
    runs, requests = lines["runs of the mirror"], a.MIRROR_RUNS * 60 * 0.000026
    rest = lines["image with Lance"] + lines["schedule of the mirror"]
    assert f"= ${requests:.2f}." in text
    assert runs + rest == pytest.approx(7.48, abs=0.01)
    assert "about $7.48 a month" in text
    assert f"`mirror = {{ minutes = 60 }}`* it is ${runs / 6 + rest:.1f}0." in text
    million = {line.what: line.usd for line in made(MILLION, "lance")["idle_month"].lines}
    assert f"2.6 GiB, ${million['table of Lance']:.2f}" in text
    ceiling = sum(line.usd for line in made(10 * MILLION, "lance")["busy_day"].lines)
    assert f"${ceiling:,.0f} at 10 million photos" in text


def test_the_limits_are_those_of_the_code() -> None:
    assert a.LEAST_IN_PACKS == EXACT_LIMIT
    assert a.MOST_BUCKET_READS == MOST_IN_BUCKET
    assert set(ROWS) - {"lance"} <= set(SETTING)


def test_the_first_line_says_the_size_and_the_times(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "--photos", "10000000", "--rows", "bucket"]) == 0
    first, blank, *_ = capsys.readouterr().out.splitlines()
    # 2,628,000 s x 0.0000025 x (2 + 8) = $65.70
    assert first == (
        "search: 2 vCPU, 8 GiB, rows in the bucket. A search takes 0.5 s, the first 74 s. "
        "Kept warm: $66 a month."
    )
    assert blank == ""
    assert main(["costs", "--photos", "10000000", "--rows", "bucket", "--json"]) == 0
    search = json.loads(capsys.readouterr().out)["search"]
    assert (search["cpu"], search["gib"], search["reads"]) == (2, 8, 900)
    assert search["warm_usd"] == pytest.approx(65.7)


@pytest.mark.parametrize(
    ("photos", "rows", "line"),
    [
        (20, "memory", "20,000,000 photos need 27 GiB of memory with --rows memory, and search has "
         "at most 16: use --rows bucket or --rows lance"),
        (100, "bucket", "100,000,000 photos need 43 GiB of memory with --rows bucket, and search "
         "has at most 16: use --rows lance"),
    ],
)  # fmt: skip
def test_too_many_photos_for_an_instance_are_refused(
    photos: int, rows: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["costs", "--photos", f"{photos}000000", "--rows", rows]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err
    assert err.count("\n") == 1


def test_another_place_for_rows_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "--rows", "disk"]) == 2
    assert re.search(r"--rows.*'disk'.*'memory', 'bucket', 'lance'", capsys.readouterr().err)

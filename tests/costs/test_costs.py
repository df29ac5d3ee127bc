"""The costs: the arithmetic by hand, the assumptions against the code, the documents."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.costs import assumptions as a
from cli.costs.prices import PRICES
from cli.costs.rows import search_of
from cli.costs.tables import (
    Library,
    Table,
    busy_day,
    largest_answers_of_a_day,
    tables,
    thumbnails_of_an_answer,
)
from cli.main import main
from search.engine.model import LOOK_FOR_MODEL_EVERY
from search.engine.query import LIMIT_DEFAULT
from tests.terraform.conftest import TERRAFORM, parse

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "costs.md").read_text()

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["costs", *arguments])
        return code, *capsys.readouterr()

    return run


def dollars(table: Table) -> dict[str, float]:
    assert len({line.what for line in table.lines}) >= len(table.lines) - 1
    return {line.what: round(line.usd, 6) for line in table.lines}


def logs_of_a_day() -> float:
    """Dollars, of search."""
    return next(line.usd for line in busy_day(Library(0, 0, 3.0)).lines if line.what == "log lines")


def test_a_thousand_photos_and_a_hundred_searches_by_hand() -> None:
    """Photos of 2^30 / 1000 bytes, so that they have one GiB together."""
    library = Library(photos=1000, searches=100, megabytes=1.073741824)
    indexing, idle, searches, _ = tables(library)
    assert dollars(indexing) == {
        "uploads": 0.005,  # 1000 x 0.000005
        "computing": 0.0145,  # 500 s x (0.000024 + 2 x 0.0000025)
        "events": 0.0004,  # 1000 x 0.0000004
        "segments and thumbnails": 0.01,  # 2000 x 0.000005
        "photos and models": 0.0012,  # 3000 x 0.0000004
        "log lines": 0.000466,  # 1 MB = 0.000931 GiB x 0.50
    }
    assert round(indexing.usd, 6) == 0.031566
    assert dollars(idle) == {
        "images of the functions": 0.18,  # 6 x 0.3 x 0.10
        "scheduled maintenance": 0.2,
        # 364.8 x (10 s x 0.000029 + 50 x 0.000005 + 0.0000004)
        "runs of it": 0.197138,
        # 121.6 x (0.05 s x 0.000029 + 0.000005)
        "comparing many photos": 0.000784,
        "photos": 0.02,
        "thumbnails and index": 0.000512,  # 27.5 MB = 0.025611 GiB x 0.02
    }
    assert dollars(searches) == {
        # 10 visits x 3.007 s + 130 x 0.1 s = 43.07 s x (2 x 0.000024 + 2 x 0.0000025)
        "computing": 0.002283,
        "requests": 0.000056,  # 140 x 0.0000004
        "looking for new photos": 0.00065,  # 130 x 0.000005
        "model and index": 0.00008,  # 200 x 0.0000004
        "answers": 0.000034,  # 0.3 MB = 0.000279 GiB x 0.12
        "reading thumbnails": 0.00096,  # 2400 x 0.0000004
        "thumbnails": 0.006437,  # 57.6 MB = 0.053644 GiB x 0.12
        "log lines": 0.000065,  # 0.14 MB = 0.00013 GiB x 0.50
    }


def test_the_ceiling_by_hand() -> None:
    """4 instances x 86,400 s = 345,600 s; 268 searches a second of each."""
    table = busy_day(Library(0, 0, 3.0))
    assert f"{logs_of_a_day():.2f}" == "43.13"
    found = [(line.what, round(line.usd, 2)) for line in table.lines]
    assert found == [
        ("search", 18.32),  # x (2 x 0.000024 + 2 x 0.0000025) = 345,600 x 0.000053
        ("its requests", 37.05),  # 92,620,800 x 0.0000004
        ("its answers", 31.05),  # 92,620,800 x 3 kB = 258.78 GiB x 0.12
        ("log lines", 43.13),  # 92,620,800 x 1 kB = 86.26 GiB x 0.50
        ("its listings", 1.21),  # 5,760 minutes x 42 x 0.000005
        ("its reads", 0.01),  # 5,760 x 3 x 0.0000004
        ("ingest", 25.06),  # 864,000 s x 0.000029
        ("its events", 0.69),  # 1,728,000 x 0.0000004
        ("its writes", 17.28),  # x 2 x 0.000005
        ("its reads", 2.07),  # x 3 x 0.0000004
        ("log lines", 0.80),  # 1.61 GiB x 0.50
    ]
    assert all(line.limited_by for line in table.lines)
    sampled = busy_day(Library(0, 0, 3.0, log_sample=0.01))
    assert table.usd - sampled.usd == pytest.approx(0.99 * 43.13, abs=0.01)


def test_nothing_costs_nothing_but_the_deployment() -> None:
    indexing, idle, searches, _ = tables(Library(0, 0, 3.0))
    assert (indexing.usd, searches.usd) == (0, 0)
    assert 0.55 < idle.usd < 0.60


def test_the_assumptions_are_those_of_the_code() -> None:
    variables = parse(TERRAFORM).variables
    for name, cpu, gib, instances in (
        ("search", a.SEARCH_CPU, a.SEARCH_GIB, a.SEARCH_INSTANCES),
        ("ingest", a.INGEST_CPU, a.INGEST_GIB, a.INGEST_INSTANCES),
    ):
        found = re.findall(r"(\w+)\W+optional\(number, (\d+)\)", str(variables[name]["type"]))
        size = {key: int(value) for key, value in found}
        assert (size["cpu"], size["memory_gib"], size["max_instances"]) == (cpu, gib, instances)
    assert a.RESULTS == LIMIT_DEFAULT
    assert 60 / LOOK_FOR_MODEL_EVERY == a.READS_PER_MINUTE
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    [texts] = re.findall(r"texts a second and core, 32 clients \| [\d.]+ \| (\d+)", text)
    assert a.SEARCH_CPU * int(texts) <= a.SEARCHES_PER_S  # so the ceiling is one
    [[first, second]] = re.findall(
        r"photos a second and core: events; reconcile \| [\d.]+ \| ([\d.]+); ([\d.]+)", text
    )
    assert 1 / float(first) < a.INDEX_S  # with room
    assert 1 / float(second) < a.INDEX_S


def test_terraform_takes_the_same_prices() -> None:
    configuration = parse(TERRAFORM)
    path = '${jsondecode(file("${path.module}/../cli/costs/prices.json"))}'
    assert configuration.locals["prices"] == path
    assert (
        configuration.locals["price"] == "${{for name, price in local.prices : name => price.usd}}"
    )
    text = (TERRAFORM / "costs.tf").read_text()
    named = set(re.findall(r"local\.price\.(\w+)", text))
    assert named
    assert named <= set(PRICES)
    numbers = (a.IMAGE_GIB, a.MONTH_DAYS, a.MAINTENANCE_LISTINGS, a.MONTH_S)
    for number in (*numbers, a.MIRROR_S, a.MIRROR_LISTINGS, a.MIRROR_READS):
        assert f"{number:g}" in text or str(number) in text


def test_each_price_has_a_source_and_says_when_it_was_checked() -> None:
    for name, price in PRICES.items():
        assert price.usd > 0, name
        assert price.source.startswith("https://cloud.google.com/"), name
        assert price.checked == "no" or re.fullmatch(r"[A-Z][a-z]+ 20\d\d", price.checked), name


def test_the_guide_has_what_the_command_prints(said: Said) -> None:
    shown = re.findall(
        r"^ {4}clipsearch costs([^\n]*)\n\n```text\n(.*?)```$", GUIDE, re.MULTILINE | re.DOTALL
    )
    assert [options.split()[-1:] for options, _ in shown] == [["10000"], ["--prices"]]
    for options, text in shown:
        code, out, err = said(*shlex.split(options))
        assert (code, err) == (0, "")
        assert out == text
        assert max(map(len, out.splitlines())) <= 110


def test_the_guides_table_is_the_commands(said: Said) -> None:
    sizes = (1_000, 100_000, 1_000_000)
    made = [{table.name: table.usd for table in tables(Library(n, 1_000, 3.0))} for n in sizes]
    for row, name in (
        ("once: upload and index them", "indexing"),
        ("a month: keep them", "idle_month"),
        ("a month: 1,000 searches", "searches"),
    ):
        cells = " | ".join(f"${table[name]:,.2f}" for table in made)
        assert f"| {row} | {cells} |" in GUIDE
    text = " ".join(GUIDE.split())
    for figure in (
        f"${largest_answers_of_a_day():,.0f} a day",
        f"${1000 * thumbnails_of_an_answer():.2f} for 1,000 answers",
        f"${search_of(1000, 'memory').warm_usd:.0f} a month",
        f"${2 * logs_of_a_day():.0f} a day of log lines",
    ):
        assert figure in text, figure


def test_json_has_the_same_figures(said: Said) -> None:
    code, out, err = said(
        "--photos", "5", "--searches", "7", "--megabytes-per-photo", "2.5", "--json"
    )
    assert (code, err) == (0, "")
    answer = json.loads(out)
    library = Library(5, 7, 2.5)
    asked = {"photos": 5, "searches": 7, "megabytes": 2.5, "log_sample": 1.0, "rows": "memory"}
    assert answer["asked"] == asked
    assert [table["usd"] for table in answer["tables"]] == [t.usd for t in tables(library)]
    for table in answer["tables"]:
        assert table["usd"] == pytest.approx(sum(line["usd"] for line in table["lines"]))
    assert answer["prices"]["request"]["usd"] == PRICES["request"].usd


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--photos", "-1"], "--photos is '-1'; it must be a whole number from 0 to 1,000,000,000"),
        (["--searches", "many"], "--searches is 'many'; it must be a whole number"),
        (["--megabytes-per-photo", "0"], "is '0'; it must be a number above 0 to 1,000"),
        (["--megabytes-per-photo", "nan"], "is 'nan'; it must be a number above 0"),
        (["--log-sample", "1.1"], "--log-sample is '1.1'; it must be a number from 0 to 1"),
    ],
)
def test_a_mistake_is_one_line(said: Said, arguments: list[str], line: str) -> None:
    code, out, err = said(*arguments)
    assert (code, out) == (2, "")
    assert line in err
    assert err.count("\n") == 1

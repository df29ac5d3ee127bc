"""Percentiles, ratios and the table of `make bench`."""

from __future__ import annotations

import time

import pytest

from benchmarks.system.__main__ import is_enough, main
from benchmarks.system.client import Outcome
from benchmarks.system.report import GOALS, Load, Measured, Turn, percentile, report_of, table

CLIENTS = (1, 8, 32)


@pytest.mark.parametrize(
    ("percent", "value"), [(50, 50), (95, 95), (99, 99), (99.5, 100), (100, 100), (0, 1)]
)
def test_a_percentile_is_one_of_the_values(percent, value):
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_a_percentile_of_few():
    assert percentile([3.0], 99) == 3.0
    assert percentile([1.0, 2.0], 50) == 1.0
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 50)


def load(latency, others=0.0, turned_away=0):
    """Ten answers in ten times as many seconds."""
    return Load(Outcome([latency] * 10, turned_away, latency * 10), latency * 10, others)


def measured(**changes):
    """Ours is ten times as fast as theirs, takes a fifth of the memory, and ingests five times
    as many photos by events and three times as many by reconciling."""
    loads = {}
    for clients in CLIENTS:
        for kind in ("text", "picture"):
            loads["theirs", kind, clients] = [load(0.1)]
        for kind in ("text", "picture", "like"):
            loads["ours", kind, clients] = [load(0.01, turned_away=clients)]
    facts = {
        "first_answers": {"theirs": [Turn(5.0, 0)], "ours": [Turn(0.4, 0)]},
        "loads": loads,
        "memory": {"theirs": 10**9, "ours": 2 * 10**8},
        "rates": {
            "loop": [Turn(8.0, 0)],
            "events": [Turn(40.0, 0)],
            "reconcile": [Turn(24.0, 0)],
        },
        "cores": 2,
    }
    return Measured(**{**facts, **changes})


def test_ratios_say_how_many_times_better_ours_is():
    report = report_of(measured())
    assert report["ratios"] == pytest.approx(
        {
            "first_answer": 12.5,
            "text_p50": 10,
            "throughput": 10,
            "throughput_picture": 10,
            "picture_p99": 10,
            "memory": 5,
            "ingest": 5,
            "ingest_reconcile": 3,
        }
    )
    figures = report["ours"]["load"]["text"]["8"]
    assert figures["p99_ms"] == pytest.approx(10)
    assert figures["per_second_per_core"] == pytest.approx(50)
    assert figures["cpu_ms"] == pytest.approx(10)
    assert (figures["answered"], figures["turned_away"]) == (10, 8)
    assert report["theirs"]["load"]["like"] == report["theirs"]["load"]["picture"]
    assert report["theirs"]["ingest_per_second_per_core"] == {"loop": 4}


def test_the_throughput_is_that_of_most_clients_and_the_latency_that_of_fewest():
    found = measured()
    found.loads["ours", "text", 1] = [load(0.02)]
    found.loads["ours", "text", 32] = [load(0.05)]
    ratios = report_of(found)["ratios"]
    assert (ratios["text_p50"], ratios["throughput"]) == pytest.approx((5, 2))


def test_of_several_turns_the_quietest_counts():
    found = measured()
    found.loads["theirs", "text", 1] = [load(0.9, 0.8), load(0.2, 0.01), load(0.05, 0.5)]
    found.first_answers["theirs"] = [Turn(9.0, 0.7), Turn(6.0, 0.02)]
    report = report_of(found)
    assert report["ratios"]["text_p50"] == pytest.approx(20)
    assert report["ratios"]["first_answer"] == pytest.approx(15)
    assert report["busy"] == {}


def test_the_table_has_every_figure_and_says_what_was_missed():
    lines = table(report_of(measured())).splitlines()
    goals = [line for line in lines if ">=" in line]
    assert len(goals) == len(GOALS)
    assert [line for line in goals if "MISSED" in line] == [
        line for line in goals if line.startswith("photos/s per core, reconcile")
    ]
    assert all(line.endswith(("reached", "MISSED")) for line in goals)
    [row] = [line for line in lines if line.split()[:2] == ["32", "text"]]
    assert row.split()[2:] == [
        *("100.0", "100.0", "100.0", "5.0"),
        *("10.0", "10.0", "10.0", "50.0", "32", "10.0", "10.0"),
    ]
    assert not any("busy" in line for line in lines)


def test_what_was_disturbed_all_the_time_is_marked():
    found = measured()
    found.first_answers["theirs"] = [Turn(5.0, 0.6), Turn(5.0, 0.7)]
    found.loads["ours", "picture", 32] = [load(0.01, 0.5)]
    lines = table(report_of(found)).splitlines()
    marked = [line for line in lines if line.endswith("(busy)")]
    assert [line.split()[:2] for line in marked] == [
        ["32", "picture"],
        ["start", "to"],
        ["pictures/s", "per"],
        ["a", "picture,"],
    ]
    assert any(line.startswith("(busy): other processes used the machine") for line in lines)


def test_a_turn_that_was_quiet_is_enough_and_one_is_a_must():
    over, later = time.monotonic() - 1, time.monotonic() + 60
    assert not is_enough([], over)
    assert is_enough([load(1, 0.5)], over)
    assert not is_enough([load(1, 0.5)], later)
    assert is_enough([load(1, 0.5), load(1, 0.01)], later)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--photos", "0"], "must be a whole number from 1 on, not '0'"),
        (["--clients", "8", "some"], "not 'some'"),
        (["--seconds", "0"], "must be above 0 and at most 600, not '0'"),
        (["--seconds", "nan"], "not 'nan'"),
    ],
)
def test_wrong_options_are_refused_with_what_is_allowed(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err

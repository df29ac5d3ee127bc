"""The waterfall of a cold start."""

import os
import subprocess
import sys

import pytest

from benchmarks.cold.traced import CALLS, IMPORTS
from benchmarks.cold.waterfall import drawn, phases_of
from cli import ROOT

TRACE = """\
Python\t10.0\t10.5\t0.1
search\t11.5\t12.0\t0.2
import numpy\t10.5\t11.0\t0.3
search\t13.0\t13.1\t0.4
"""


def test_phases_come_in_the_order_of_their_begin_and_count_once():
    phases = phases_of(TRACE, 10.0)
    assert [(p.name, p.begin, p.end, p.cpu) for p in phases] == [
        ("Python", 0.0, 0.5, 0.1),
        ("import numpy", 0.5, 1.0, 0.3),
        ("search", 1.5, 2.0, 0.2),
    ]


def test_each_bar_begins_where_its_phase_does():
    _, *lines = drawn(phases_of(TRACE, 10.0), 2.0).splitlines()
    bars = [(line.index("\N{FULL BLOCK}"), line.count("\N{FULL BLOCK}")) for line in lines]
    [first, second, third] = bars
    assert second[0] - first[0] == 12
    assert third[0] - first[0] == 37
    assert [length for _, length in bars] == [12, 13, 13]


@pytest.mark.parametrize(
    ("module", "path"), [(module, path) for module, paths in CALLS.items() for path in paths]
)
def test_what_is_traced_exists(module, path):
    code = f"import {module} as m, functools; functools.reduce(getattr, {path.split('.')!r}, m)"
    environ = {**os.environ, "FUNCTION_TARGET": "search"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "functions", env=environ)


def test_an_import_and_a_call_are_written_down(tmp_path):
    code = """
import sys
sys.path[:0] = ["functions"]
from benchmarks.cold.traced import Tracer
sys.meta_path.insert(0, Tracer())
import numpy
from clipsearch.model import towers
try:
    towers._tokenizer("nothing")
except Exception:
    pass
"""
    trace = tmp_path / "trace"
    environ = {**os.environ, "COLD_TRACE": str(trace)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environ)
    names = [phase.name for phase in phases_of(trace.read_text(), 0.0)]
    assert names[0] == "import numpy"
    assert "tokenizer" in names
    assert set(names) <= {*IMPORTS.values(), "tokenizer"}

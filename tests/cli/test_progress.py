"""What a command shows while it works, where there is no terminal."""

import re
from typing import Any

import pytest

from cli.common import progress
from cli.common.output import output_as, result, say, warn
from cli.common.progress import bar

AT_ONCE: dict[str, Any] = {"mininterval": 0, "miniters": 1}  # of tqdm


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)


def test_without_a_terminal_lines_tell_rate_and_time_left(often, capsys):
    with bar("indexing", total=40, **AT_ONCE) as shown:
        for _ in range(4):
            shown.update(10)
            say("a line in between")
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if line.startswith("indexing")]
    form = r"indexing: \d+ of 40 photos, +[\d.]+ photos/s, \d\d:\d\d left"
    assert lines
    assert [line for line in lines if not re.fullmatch(form, line)] == []
    assert (out.count("a line in between"), err) == (4, "")


def test_lines_are_few(capsys):
    for _ in bar("drawing", range(1000)):
        pass
    assert capsys.readouterr() == ("", "")


def test_with_json_they_go_to_stderr_and_with_quiet_nowhere(often, capsys):
    with output_as(is_json=True):
        assert sum(bar("drawing", range(100), **AT_ONCE)) == 4950
    out, err = capsys.readouterr()
    assert (out, "drawing: " in err) == ("", True)
    with output_as(is_quiet=True):
        assert sum(bar("drawing", range(100), **AT_ONCE)) == 4950
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("is_quiet", "is_json", "out", "err"),
    [
        (False, False, "line\nproblem\ntext\n", ""),
        (True, False, "text\n", "problem\n"),
        (False, True, '{"a": 1}\n', "line\nproblem\n"),
        (True, True, '{"a": 1}\n', "problem\n"),
    ],
)
def test_where_lines_problems_and_results_go(capsys, is_quiet, is_json, out, err):
    with output_as(is_quiet, is_json):
        say("line")
        warn("problem")
        result({"a": 1}, "text")
    assert capsys.readouterr() == (out, err)

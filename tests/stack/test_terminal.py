"""`clipsearch run` in a terminal, elsewhere, and with --quiet."""

import re
import signal
import sys

import pytest

from tests.support.ports import free_port
from tests.support.running_stack import ROOT, get
from tests.support.terminal import Terminal
from tests.support.waiting import PATIENCE, wait_for

COUNT = 30
LINES_AT_ONCE = """
import sys, cli.common.progress, cli.main
cli.common.progress.LINE_EVERY_S = 0.0
sys.exit(cli.main.main(["run", *sys.argv[1:]]))
"""


@pytest.fixture
def arguments(model, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(COUNT):
        (photos / f"{number:02}.jpg").write_bytes(model.picture)
    where = [str(photos), "--state", str(tmp_path / "run"), "--port", str(free_port())]
    return [*where, "--model", str(model.folder), "--no-browser"]


def test_after_ready_a_bar_tells_rate_and_time_left(arguments):
    terminal = Terminal([sys.executable, "-m", "cli", "run", *arguments], ROOT)
    try:
        terminal.wait_for("; watching that folder")
        after = terminal.shown().partition("ready: ")[2]
        bars = re.findall(
            r"indexing: +\d+%\|.*?\| (\d+)/(\d+) \[([\d:]+)<([\d:?]+), (.*?)\]", after
        )
        assert {total for _, total, *_ in bars} == {str(COUNT)}
        assert bars[-1][0] == str(COUNT)
        assert bars[-1][4].endswith(" photos/s")
        assert bars[-1][3] == "00:00"  # left
        assert [int(n) for n, *_ in bars] == sorted(int(n) for n, *_ in bars)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(PATIENCE) == 0
        assert "Traceback" not in terminal.shown()
    finally:
        terminal.close()


def test_elsewhere_it_prints_lines(start_stack, arguments):
    stack = start_stack(*arguments, program=LINES_AT_ONCE)
    stack.wait_until_ready()
    after = stack.output().partition("ready: ")[2]
    form = rf"^indexing: \d+ of {COUNT} photos, .*photos/s, [\d:?]+ left$"
    assert re.search(form, after, re.MULTILINE)
    assert "\r" not in stack.output()
    assert stack.end() == 0


def test_quiet_prints_nothing_but_problems(start_stack, arguments, model):
    broken = f"{arguments[0]}/broken.jpg"
    with open(broken, "wb") as file:
        file.write(model.picture[: len(model.picture) // 2])
    stack = start_stack(*arguments, "--quiet")
    stack.wait_for_line("broken.jpg")
    port = int(arguments[arguments.index("--port") + 1])
    status = f"http://127.0.0.1:{port + 1}/status"
    wait_for(lambda: get(status).json()["photos"]["indexed"] == COUNT, "all photos are indexed")
    assert stack.end() == 0
    [line] = stack.output().splitlines()
    assert line.startswith("cannot be indexed: broken.jpg: ")


def test_an_empty_folder_says_what_to_do(start_stack, model, tmp_path):
    (tmp_path / "empty").mkdir()
    stack = start_stack(
        *(tmp_path / "empty", "--state", tmp_path / "run", "--port", free_port()),
        *("--model", model.folder),
    )
    line = stack.wait_for_line("No photos yet.")
    assert line == (
        f"No photos yet. Add some to {tmp_path / 'empty'}; they appear here within seconds."
    )
    assert stack.end() == 0

"""Child processes end with us, whatever they do about it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cli.common import processes
from cli.common.errors import RunError
from cli.common.processes import Function, check_alive, end_functions
from tests.support.running_stack import is_running
from tests.support.waiting import wait_for

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1:]:
    subprocess.Popen([sys.executable, __file__])
else:
    print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path):
    functions = []

    def start(code, *arguments):
        script = tmp_path / "function.py"
        script.write_text(code)
        process = subprocess.Popen(
            [sys.executable, script, *arguments], stdout=subprocess.PIPE, start_new_session=True
        )
        functions.append(Function("ingest", 1, process, tmp_path / "ingest.log"))
        return functions[-1]

    yield start
    for function in functions:
        function.process.stdout.close()
        if function.process.poll() is None:
            os.killpg(function.process.pid, signal.SIGKILL)
            function.process.wait()


def test_a_child_that_ignores_the_request_to_end_is_killed_with_its_children(start, monkeypatch):
    monkeypatch.setattr(processes, "END_SECONDS", 0.5)
    function = start(STUBBORN, "with a child")
    grandchild = int(function.process.stdout.readline())
    end_functions([function])
    assert function.process.poll() == -signal.SIGKILL
    wait_for(lambda: not is_running(grandchild), "the child's child has ended")


def test_a_child_that_ends_well_is_not_waited_for(start):
    function = start("import time; print('up', flush=True); time.sleep(600)")
    function.process.stdout.readline()
    before = time.monotonic()
    end_functions([function])
    assert function.process.poll() == -signal.SIGTERM
    assert time.monotonic() - before < processes.END_SECONDS


def test_a_child_that_ends_by_itself_is_noticed(start):
    function = start("raise SystemExit(3)")
    function.process.wait()
    with pytest.raises(RunError, match=r"ingest stopped with exit code 3; read .*ingest.log"):
        check_alive([function])


def test_ending_twice_is_fine(start):
    function = start("pass")
    function.process.wait()
    end_functions([function])
    end_functions([function])

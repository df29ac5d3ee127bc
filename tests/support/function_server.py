"""A function in its own process, behind the same server as in the cloud."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"
PATIENCE = 120.0  # seconds
LISTENING = re.compile(r"Listening at: (http://127\.0\.0\.1:\d+)")
SERVER_LINE = re.compile(r"\[[-\d: +]+\] \[\d+\] \[INFO\] ")


@contextmanager
def running_function(
    target: str,
    settings: Mapping[str, str],
    log: Path,
    python: Path = Path(sys.executable),
    source: Path = FUNCTIONS,
    memory: int | None = None,
) -> Iterator[str]:
    """The URL of the function `target`. Both output streams go to the file `log`. `memory` limits
    its address space, in bytes (ulimit -v).

    The system chooses the port: another process may take a port that the test looked up, before
    the server binds it. The server logs the port only at level info.
    """

    def limit() -> None:
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    with log.open("wb") as stream:
        process = subprocess.Popen(
            [python.parent / "functions-framework"],
            preexec_fn=limit,
            cwd=source,
            env={
                "PATH": os.environ["PATH"],
                "FUNCTION_TARGET": target,
                "HOST": "127.0.0.1",
                "PORT": "0",
                "GUNICORN_LOG_LEVEL": "info",
                **settings,
            },
            stdout=stream,
            stderr=stream,
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def lines_of(log: Path) -> list[str]:
    """The log of the function, without the lines about the start and end of the server."""
    return [line for line in log.read_text().splitlines() if not SERVER_LINE.match(line)]


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up = time.monotonic() + PATIENCE
    while (found := LISTENING.search(log.read_text())) is None:
        assert process.poll() is None, f"the server has ended: {log.read_text()}"
        assert time.monotonic() < give_up, f"the server does not listen: {log.read_text()}"
        time.sleep(0.05)
    return found[1]

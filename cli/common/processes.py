"""The two functions as child processes, started as the cloud starts them."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cli import ROOT
from cli.common import end_with_parent
from cli.common.errors import RunError, UsageError
from cli.common.localhost import HOST, open_local

START_SECONDS = 120.0  # a busy laptop; a function is usually up within one or two
END_SECONDS = 10.0  # requests in progress may finish; after that, SIGKILL

# The framework reads these; values of the user's shell would change how it starts.
NOT_PASSED_ON = ("DEBUG", "HOST", "PORT", "PYTHONPATH")


@dataclass(frozen=True, slots=True)
class Function:
    """A running function. Both its streams go to the file `log`."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/"


def check_port(port: int, what: str, host: str = HOST) -> None:
    """UsageError if we cannot listen on `port` of the IP address `host`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            probe.bind((host, port))
    except OSError as exc:
        raise port_error(port, what, exc, host) from exc


def port_error(port: int, what: str, error: OSError, host: str = HOST) -> UsageError:
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return UsageError(f"{host} is no address of this machine; choose another with --host")
    return UsageError(
        f"port {port} ({what}) cannot be used: {error.strerror}; choose another with --port"
    )


def start_function(name: str, port: int, settings: Mapping[str, str], log: Path) -> Function:
    """Start the function `name` of functions/main.py. It answers a moment later."""
    program = str(Path(sys.executable).with_name("functions-framework"))
    command = [program, "--source", "functions/main.py", "--target", name]
    return start_server(name, command, port, settings, log)


def start_server(
    name: str, command: Sequence[str], port: int, settings: Mapping[str, str], log: Path
) -> Function:
    """Start `command`, which takes --host and --port, with `settings` in its environment."""
    environ = {
        key: value
        for key, value in os.environ.items()
        if key not in NOT_PASSED_ON and not key.startswith(("CLIPSEARCH_", "FUNCTION_"))
    }
    reading, _ = _pipe_of_this_process()
    wrapper = [sys.executable, str(Path(end_with_parent.__file__)), str(reading)]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*wrapper, *command, "--host", HOST, "--port", str(port)],
            pass_fds=[reading],
            cwd=ROOT,
            env={**environ, **settings, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches us only, and one signal ends the whole group.
            start_new_session=True,
        )
    return Function(name, port, process, log)


@cache
def _pipe_of_this_process() -> tuple[int, int]:
    """Its writing end closes only when this process ends."""
    return os.pipe()


def wait_until_up(function: Function, path: str, stop: threading.Event) -> None:
    """Return when `function` gives any answer on `path`, or when `stop` is set.

    RunError if it ends, or does not answer within START_SECONDS.
    """
    give_up = time.monotonic() + START_SECONDS
    while not stop.is_set():
        check_alive([function])
        try:
            open_local(function.url + path, 5).close()
            return
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            if time.monotonic() > give_up:
                raise RunError(f"{function.name} does not start; read {function.log}") from None
        stop.wait(0.05)


def check_alive(functions: Iterable[Function]) -> None:
    """RunError if one of them has ended."""
    for function in functions:
        code = function.process.poll()
        if code is not None:
            raise RunError(f"{function.name} stopped with exit code {code}; read {function.log}")


def end_functions(functions: Iterable[Function]) -> None:
    """Ask all of them to end, wait END_SECONDS, and kill what is left of each process group."""
    functions = list(functions)
    for function in functions:
        _signal_group(function, signal.SIGTERM)
    _wait(functions, END_SECONDS)
    for function in functions:
        # Also after a clean end: a worker may outlive its master.
        _signal_group(function, signal.SIGKILL)
    _wait(functions, END_SECONDS)


def _wait(functions: Iterable[Function], seconds: float) -> None:
    """Until all of them have ended, at most `seconds`."""
    give_up = time.monotonic() + seconds
    for function in functions:
        with suppress(subprocess.TimeoutExpired):
            function.process.wait(max(0.0, give_up - time.monotonic()))


def _signal_group(function: Function, number: signal.Signals) -> None:
    try:
        os.killpg(function.process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        return

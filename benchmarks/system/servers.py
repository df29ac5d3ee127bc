"""Both sides as processes: start, first answer, memory and CPU."""

from __future__ import annotations

import os
import socket
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.system.asking import Side, text_request
from benchmarks.system.world import World
from cli.common.localhost import HOST
from cli.common.processes import Function, check_alive, start_function, start_server

APP = "benchmarks.system.original:create_app"
TICK = 0.002  # seconds
PATIENCE = 120.0


def start(side: Side, world: World, log: Path) -> Function:
    if side == "ours":
        return start_function("search", free_port(), our_settings(world.bucket), log)
    command = [sys.executable, "-m", "uvicorn", "--factory", APP]
    settings = {
        "ORIGINAL_MODEL": str(world.model),
        "ORIGINAL_INDEX": str(world.original),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }
    return start_server("the original", command, free_port(), settings, log)


def our_settings(index: Path, photos: Path | None = None) -> dict[str, str]:
    """`photos` and their thumbnails; a search needs only their URLs."""
    folder = photos or index.with_name("photos")
    return {
        "CLIPSEARCH_PHOTOS": folder.as_uri(),
        "CLIPSEARCH_INDEX": index.as_uri(),
        "CLIPSEARCH_THUMBNAILS": folder.with_name("thumbnails").as_uri(),
        "CLIPSEARCH_PHOTOS_URL": f"http://{HOST}/photos",
        "CLIPSEARCH_THUMBNAILS_URL": f"http://{HOST}/thumbnails",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def first_answer(function: Function, side: Side, begin: float) -> float:
    """Seconds from `begin` (time.monotonic()) to the first answer to a text."""
    method, path, _ = text_request(side, "two blue mushrooms").split(b" ", 2)
    while time.monotonic() < begin + PATIENCE:
        check_alive([function])
        connection = HTTPConnection(HOST, function.port, timeout=PATIENCE)
        try:
            connection.request(method.decode(), path.decode())
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return time.monotonic() - begin
        except (OSError, HTTPException):
            pass  # it does not listen yet
        finally:
            connection.close()
        time.sleep(TICK)
    raise TimeoutError(f"{function.name} does not answer; see {function.log}")


def peak_memory(function: Function) -> int:
    """The sum of the peak resident memory of its processes, in bytes."""
    return sum(_field(pid, "VmHWM:") * 1024 for pid in processes(function))


class Meter:
    """CPU use of a side's processes from now on, and that of other processes."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._begin = time.monotonic()
        self._before = self._seconds()

    def read(self) -> tuple[float, float]:
        """CPU seconds of its processes; cores used by others, without us and our clients."""
        its, ours, everybody = (
            now - then for now, then in zip(self._seconds(), self._before, strict=True)
        )
        others = (everybody - its - ours) / (time.monotonic() - self._begin)
        return its, max(0.0, others)

    def _seconds(self) -> tuple[float, float, float]:
        its = 0
        for pid in processes(self._function):
            fields = _stat(pid)
            its += int(fields[11]) + int(fields[12])  # utime, stime
        user, nice, system, _, _, *interrupts = map(int, _first_line("/proc/stat").split()[1:9])
        everybody = user + nice + system + sum(interrupts)
        ticks = os.sysconf("SC_CLK_TCK")
        return its / ticks, sum(os.times()[:4]), everybody / ticks


def processes(function: Function) -> list[int]:
    """Its processes, which are a process group."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if (_stat(pid) or [""] * 3)[2] == str(function.process.pid)]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _first_line(path: str) -> str:
    with open(path) as file:
        return file.readline()


def _field(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0  # a zombie

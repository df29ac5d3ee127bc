"""The stack as a person uses it: a process, its output, and HTTP."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]


def get(url, **query):
    return httpx.get(url, params=query or None, timeout=PATIENCE)


class RunningStack:
    """`python -m cli run` with `arguments`; its output goes to the file `output`.

    `program`: Python code to run instead.
    """

    photos: Path  # its folder, in the tests of the page

    def __init__(self, output, *arguments, program=None, cwd=ROOT):
        self._output = output
        what = ["-m", "cli", "run"] if program is None else ["-c", program]
        with output.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *what, *map(str, arguments)],
                cwd=cwd,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self):
        return self._output.read_text()

    def wait_for_line(self, text):
        wait_for(lambda: text in self.output() or self.process.poll() is not None, text)
        [line] = [line for line in self.output().splitlines() if text in line]
        return line

    def wait_until_ready(self):
        """The URL of the page; returns when all existing photos are indexed."""
        self.page = self.wait_for_line("ready: ").removeprefix("ready: ")
        self.wait_for_line("; watching that folder")
        port = int(self.page.rsplit(":", 1)[1])
        self.search = f"http://127.0.0.1:{port + 1}/"
        return self.page

    def names(self, **query):
        """The names of the found photos, best first."""
        return [result["name"] for result in self.results(**query)]

    def results(self, **query):
        response = get(self.search, **query)
        assert response.status_code == 200, response.text
        return response.json()["results"]

    def results_like(self, picture):
        response = httpx.post(self.search, files={"image": picture}, timeout=PATIENCE)
        assert response.status_code == 200, response.text
        return response.json()["results"]

    def status(self):
        return get(f"{self.search}status").json()

    def counts(self):
        photos = self.status()["photos"]
        return photos["indexed"], photos["failed"]

    def family(self):
        """The ids of the process and of all its descendants."""
        ps = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
        pairs = [tuple(map(int, line.split())) for line in ps.stdout.splitlines()]
        family = [self.process.pid]
        for pid in family:
            family += [child for child, parent in pairs if parent == pid]
        return family

    def end(self, number=signal.SIGINT):
        """End it like Ctrl-C; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def is_running(pid):
    """Whether it runs; a zombie does not, because only its new parent can remove it."""
    ps = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return ps.stdout.strip()[:1] not in ("", "Z")

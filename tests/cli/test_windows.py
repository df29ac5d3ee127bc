"""Windows: `search`, `status` and `models` need nothing that is missing there.

The other commands refuse in one line.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import main
from tests.support.http_double import Handler, HttpDouble

ROOT = Path(__file__).parents[2]
# What Python lacks on Windows.
WITHOUT_POSIX = """
import os, signal, sys
for name in ("fcntl", "grp", "pwd", "pty", "resource", "termios", "tty"):
    sys.modules[name] = None
for owner, names in (
    (os, ("fork", "killpg", "sched_getaffinity", "setsid", "sysconf")),
    (signal, ("SIGHUP", "SIGKILL")),
):
    for name in names:
        if hasattr(owner, name):
            delattr(owner, name)
from cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "."],
        ["upload", ".", "gs://photos"],
        ["coco", "gs://photos"],
        ["duplicates"],
        ["reconcile", "--plan"],
        ["mirror"],
        ["evaluate"],
    ],
)
def test_what_does_not_work_there_is_one_line(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    code = main(arguments)
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"clipsearch: clipsearch {arguments[0]} needs Linux or macOS; on Windows")
    assert "WSL" in err


class Answer(Handler):
    def do_GET(self):
        self.send(
            200, {"results": [{"name": "a.jpg", "similarity": 27.0, "url": "http://x/a.jpg"}]}
        )


def test_search_works_there():
    server = HttpDouble(Answer)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX, "search", "two cats", "--json", "--url", server.url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    server.close()
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["results"][0]["name"] == "a.jpg"


@pytest.mark.parametrize("argument", ["--help", "models"])
def test_help_and_the_models_are_printed_there(argument):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX, argument],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
